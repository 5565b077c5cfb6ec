import { createPublicKey } from "node:crypto";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { tokenSigner } from "../../core/token";
import { importSigningKey } from "../../jwk/signing-key";
import { testKey } from "../../local/demo/flows";

const JKU = "https://kong-gateway:8443/x-custom-jwt/jwks";
const HEADER = { typ: "JWT", jku: JKU };
const JWK = testKey("ES256-jwk-private.json");
const publicKey = createPublicKey(testKey("ES256-public.pem"));

function sign(claims: Record<string, unknown>, jwk = JWK): Promise<string> {
	return tokenSigner(importSigningKey(jwk), HEADER)(claims);
}

describe("a token", () => {
	test("is three base64url parts without padding", async () => {
		expect(await sign({ note: "ÿ?>~".repeat(5) })).toMatch(
			/^[\w-]+\.[\w-]+\.[\w-]+$/,
		);
	});

	test("tells in its header how to verify it: alg, kid and jku", async () => {
		expect(decodeProtectedHeader(await sign({}))).toEqual({
			typ: "JWT",
			alg: "ES256",
			kid: "kong",
			jku: JKU,
		});
	});

	test("has no jku when that is empty, as SPIFFE demands", async () => {
		const header = { typ: "JWT", jku: "" };
		const token = await tokenSigner(importSigningKey(JWK), header)({});
		expect(decodeProtectedHeader(token)).not.toHaveProperty("jku");
	});

	test("has the typ that it is to have", async () => {
		const signToken = tokenSigner(importSigningKey(JWK), {
			typ: "at+jwt",
			jku: JKU,
		});
		await jwtVerify(await signToken({}), publicKey, { typ: "at+jwt" });
	});

	test("has no certificates unless its key has some to show", async () => {
		const header = decodeProtectedHeader(await sign({}));
		expect(header).not.toHaveProperty("x5c");
		const certificates = { x5c: ["MII"], "x5t#S256": "thumbprint" };
		const key = { ...importSigningKey(JWK), certificates };
		const token = await tokenSigner(key, HEADER)({});
		expect(decodeProtectedHeader(token)).toEqual({
			...header,
			...certificates,
		});
	});

	test("has no kid when the private JWK has none", async () => {
		const { kid, ...jwk } = JSON.parse(JWK);
		const token = await sign({}, JSON.stringify(jwk));
		expect(decodeProtectedHeader(token)).not.toHaveProperty("kid");
	});

	test("carries its claims unchanged, in any script", async () => {
		const claims = {
			client_id: "C=FR, CN=Zoë 客户 🔑",
			roles: ["a", { b: null }],
			n: 1.5,
		};
		const { payload } = await jwtVerify(await sign(claims), publicKey);
		expect(payload).toEqual(claims);
	});

	test("verifies no longer once its claims are changed", async () => {
		const [header, , signature] = (await sign({ client_id: "a" })).split(".");
		const forged = Buffer.from('{"client_id":"b"}').toString("base64url");
		await expect(
			jwtVerify([header, forged, signature].join("."), publicKey),
		).rejects.toThrow("signature verification failed");
	});

	test("verifies each by itself when many are signed at once", async () => {
		const signToken = tokenSigner(importSigningKey(JWK), HEADER);
		const names = Array.from({ length: 20 }, (_, i) => `client-${i}`);
		const tokens = await Promise.all(
			names.map((client_id) => signToken({ client_id })),
		);
		const verified = await Promise.all(
			tokens.map((token) => jwtVerify(token, publicKey)),
		);
		expect(verified.map(({ payload }) => payload.client_id)).toEqual(names);
	});
});
