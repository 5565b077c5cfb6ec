import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { importJWK, type JWTPayload, SignJWT } from "jose";
import { signToken, testKey } from "../../../../local/demo/flows";
import { verdictOn } from "../../../../local/inspector/page/verdict";

const GOOD = { client_id: "me", jti: "1", iss: "gateway", aud: "backend" };

/** What the JWKS route answers. */
let route: { status: number; body: string };
const server = createServer((_, response) => {
	response.writeHead(route.status).end(route.body);
});
let jwksUrl: string;

beforeAll(async () => {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
beforeEach(() => {
	route = { status: 200, body: testKey("RS256-jwks-public.json") };
});
afterAll(() => server.close());

async function verdictOnClaims(
	claims: JWTPayload,
	keyFile = "RS256-jwk-private.json",
) {
	return verdictOn(await signToken(keyFile, claims), {
		jwksUrl,
		expectations: {
			issuer: "gateway",
			audience: "backend",
			algorithms: ["RS256"],
			requiredClaims: ["client_id", "jti"],
		},
		flows: [],
	});
}

test("a token as the backend wants it is verified", async () => {
	expect(await verdictOnClaims(GOOD)).toMatchObject({
		state: "verified",
		signed: true,
		detail: expect.stringContaining('key "kong"'),
	});
});

test.each([
	["Expired", { exp: 1 }, /expired \d+ y/],
	["Not valid yet", { nbf: 99_999_999_999 }, /valid only in/],
	["Wrong audience", { aud: ["a", "b"] }, /\["a","b"\]; "backend" is/],
	["Wrong issuer", { iss: "mallory" }, /"mallory"; "gateway" is/],
	["No claim jti", { jti: undefined }, /claim jti is missing/],
	["No claim aud", { aud: undefined }, /claim aud is missing/],
	["Claim exp not valid", { exp: "soon" }, /claim exp is "soon"/],
])(
	"%s: the signature is good all the same",
	async (headline, claims, words) => {
		expect(await verdictOnClaims({ ...GOOD, ...claims } as JWTPayload)).toEqual(
			{
				state: "invalid",
				signed: true,
				headline,
				detail: expect.stringMatching(words),
			},
		);
	},
);

test("a key that the JWK Set does not have, or that it has under the same kid only", async () => {
	expect(await verdictOnClaims(GOOD, "idp-jwk-private.json")).toMatchObject({
		state: "invalid",
		signed: false,
		headline: "No key for this kid",
	});
	const other = JSON.parse(testKey("idp-jwk-public.json"));
	route.body = JSON.stringify({ keys: [{ ...other, kid: "kong" }] });
	expect(await verdictOnClaims(GOOD)).toMatchObject({
		state: "invalid",
		signed: false,
		headline: "Signature not valid",
	});
});

test("an algorithm the backend does not take", async () => {
	expect(await verdictOnClaims(GOOD, "ES256-jwk-private.json")).toMatchObject({
		headline: "Algorithm not accepted",
		detail: "Alg ES256 is not accepted; RS256 would be.",
	});
});

describe("a token of an Ed25519 key", () => {
	const expectations = {
		issuer: "gateway",
		audience: "backend",
		algorithms: ["EdDSA", "Ed25519"],
		requiredClaims: [],
	};

	test.each([
		["EdDSA", "EdDSA", { state: "verified" }],
		["Ed25519", "Ed25519", { state: "verified" }],
		[
			"Ed25519",
			"EdDSA",
			{
				headline: "Another algorithm",
				detail: 'Key "kong" is not for the token\'s alg "Ed25519".',
			},
		],
	])("that says %s, with a key for %s", async (alg, published, verdict) => {
		const key = JSON.parse(testKey("EdDSA-jwk-private.json"));
		const token = await new SignJWT(GOOD)
			.setProtectedHeader({ alg, kid: "kong" })
			.setExpirationTime("1h")
			.sign(await importJWK({ ...key, alg }));
		const { d: _, ...half } = { ...key, alg: published };
		route.body = JSON.stringify({ keys: [half] });
		const settings = { jwksUrl, expectations, flows: [] };
		expect(await verdictOn(token, settings)).toMatchObject(verdict);
	});
});

test("a JWK Set whose members are no keys, or which has two for the token's kid", async () => {
	const key = JSON.parse(testKey("RS256-jwk-public.json"));
	const other = JSON.parse(testKey("idp-jwk-public.json"));
	route.body = JSON.stringify({
		keys: [null, key, { ...other, kid: key.kid }],
	});
	expect(await verdictOnClaims(GOOD)).toMatchObject({
		state: "verified",
		detail: expect.stringMatching(
			/keys\/0: not a JWK.* refuse the whole .*several keys have the kid "kong"/,
		),
	});
});

test.each([
	[503, "{}", "answers 503 instead"],
	[200, "<html>", "not JSON"],
	[200, '{"keys":"none"}', "keys must be a list"],
])("a JWKS route that answers %d %s", async (status, body, words) => {
	route = { status, body };
	expect(await verdictOnClaims(GOOD)).toMatchObject({
		state: "unknown",
		headline: "No JWK Set",
		detail: expect.stringContaining(words),
	});
});

test("what is no JWT is called so, whether or not there is a JWK Set", async () => {
	const settings = {
		jwksUrl: "http://127.0.0.1:1/",
		expectations: {
			issuer: "gateway",
			audience: "backend",
			algorithms: ["RS256"],
			requiredClaims: [],
		},
		flows: [],
	};
	expect(await verdictOn("let me in", settings)).toMatchObject({
		state: "invalid",
		headline: "Not a JWT",
		detail: expect.stringMatching(/^Not a JWT: .* this has 1\.$/),
	});
});
