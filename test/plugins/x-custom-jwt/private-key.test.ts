import { testKey } from "../../../local/demo/flows";
import { prepare } from "../../../plugins/x-custom-jwt/config";

const { kty, n, e, d } = JSON.parse(testKey("RS256-jwk-private.json"));

/** What is wrong with a configuration. */
const faultsOf = (private_jwk: string, fields = {}) =>
	prepare({ private_jwk, ...fields }).faults.map(({ message }) => message);

test.each([
	["an RSA key of n, e and d", JSON.stringify({ kty, n, e, d }), "keys import"],
	["PEM", "-----BEGIN PRIVATE KEY-----\nMII", "PEM.*keys import"],
	["a secret", '{"kty":"oct","k":"a secret!"}', "hmac_key_is_text"],
	["empty", " ", "vault reference it cannot resolve"],
	["decK’s", `\${{ env "DECK_KEY" }}`, "environment variable"],
	["of a shell", "$PRIVATE_JWK\n", "environment variable"],
	["a vault reference", "{vault://env/key}", "vault reference that Kong"],
])(
	"a key that is %s is rejected with what to do about it",
	(_, text, named) => {
		expect(faultsOf(text)).toEqual([
			expect.stringMatching(new RegExp(`^private_jwk.*${named}`)),
		]);
	},
);

test.each([
	["algorithm", { algorithm: "ES256" }, "config/algorithm: does not fit"],
	["active_kid", { active_kid: "other" }, "config/active_kid: no key"],
])("%s that does not fit the key is named", (_, fields, named) => {
	expect(faultsOf(testKey("RS256-jwk-private.json"), fields)).toEqual([
		expect.stringContaining(named),
	]);
});

test.each([
	["HS256-jwk.json", {}, 1],
	["HS256-jwk.json", { hmac_key_is_text: false }, 0],
	["HS256-jwk.json", { hmac_key_is_text: true }, 0],
	["ES256-jwk-private.json", {}, 0],
])(
	"%s with %j has %d warnings about the text of an HMAC key",
	(file, fields, count) => {
		const { warnings } = prepare({ private_jwk: testKey(file), ...fields });
		const about = warnings.filter(({ message }) =>
			message.includes("hmac_key_is_text"),
		);
		expect(about).toHaveLength(count);
	},
);
