/** One rule says which key of a JWK Set signs: plugin, command and page agree about it. */
import { decodeProtectedHeader } from "jose";
import { signingOf } from "../../cli/signing";
import { generateKey } from "../../jwk/generate";
import { publicHalf } from "../../jwk/public-half";
import { verifyToken } from "../../jwk/verify";
import { signClaims } from "../support/signed-token";

test.each([
	["a key with a kid before one without", ["a", undefined]],
	["a key without a kid before one with", [undefined, "a"]],
])("of %s the first signs without active_kid", async (_, kids) => {
	const keys = await Promise.all(
		kids.map(async (kid) => ({ ...(await generateKey("ES256")), kid })),
	);
	const private_jwk = JSON.stringify({ keys });
	expect(signingOf({ private_jwk })).toMatchObject({
		kid: kids[0],
		jwk: { d: keys[0]?.d },
	});
	const token = await signClaims(private_jwk, { client_id: "me" });
	expect(decodeProtectedHeader(token).kid).toBe(kids[0]);
	const verdict = await verifyToken(token, {
		keys: keys.map(publicHalf),
		algorithms: ["ES256"],
		now: 0,
	});
	expect(verdict.signedBy).toBe(
		kids[0] === undefined ? "the key without kid" : 'key "a"',
	);
});
