import { generateKeyPairSync } from "node:crypto";
import { prepare } from "../../plugins/x-custom-jwt/config";
import { rawConfig } from "../support/samples";

/** A key of one's own. */
const OWN_KEY = JSON.stringify({
	...generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }),
	kid: "mine",
});

/** The warnings about a configuration, with a key of one's own. */
const warningsOf = (config: object) =>
	prepare(rawConfig({ private_jwk: OWN_KEY, ...config })).warnings.map(
		({ message }) => message,
	);

const saying = (message: string) => expect.stringContaining(message);
const METHODS = saying("config/auth_methods accepts several methods");
const ISSUERS = saying(
	"config/auth_methods accepts jwt, tokens of every issuer",
);
const OIDC = saying("only openid-connect with auth_methods: [bearer]");
const both = { auth_method: "$(auth.method)", idp: "$(auth.issuer)" };

test.each<[object, unknown[]]>([
	[{}, [METHODS, ISSUERS]],
	[{ auth_methods: ["jwt"] }, [ISSUERS]],
	[{ auth_methods: ["jwt"], keep_claims: ["sub", "iss"] }, [ISSUERS]],
	[{ set_claims: { auth_method: "$(auth.method)" } }, [ISSUERS]],
	// A token that comes with these claims keeps its own.
	[{ add_claims: both }, [METHODS, ISSUERS]],
	[{ auth_methods: ["basic", "oidc"], add_claims: both }, [OIDC, METHODS]],
	[{ auth_methods: ["oidc"] }, [OIDC]],
	[{ set_claims: both }, []],
	[{ set_claims: { from: '["$(auth.method)", "$(claims.iss)"]' } }, []],
	[{ set_claims: { from: "$(headers.a or auth.method)$(claims.iss)" } }, []],
	[{ subject: "$(auth.method) $(credential.id)" }, []],
	[{ auth_methods: ["key"] }, []],
	[{ auth_methods: ["jwt"], set_claims: { idp: "$(auth.issuer)" } }, []],
	[
		{
			auth_methods: ["key", "basic"],
			add_claims: { auth_method: "$(auth.method)" },
		},
		[],
	],
])("methods and issuers that no claim tells apart: %j", (config, warnings) => {
	expect(warningsOf(config)).toEqual(warnings);
});

test.each([
	[{ subject: "$(headers.x-user or 'a')" }, "subject", "sub"],
	[{ subject: "$(consumer.id or headers.x-user)" }, "subject", "sub"],
	[{ audience: ["a", "$(query_params.a)"] }, "audience", "aud"],
	[{ set_claims: { roles: '["$(headers.r)"]' } }, "set_claims", "roles"],
	[
		{ set_claims: { groups: "$(headers.g | split ',')" } },
		"set_claims",
		"groups",
	],
	[{ add_claims: { scope: "$(query_params.s)" } }, "add_claims", "scope"],
])("claims that the client chooses: %j", (config, field, claim) => {
	expect(warningsOf({ ...config, auth_methods: ["key"] })).toEqual([
		saying(`config/${field}: the client chooses the claim ${claim}`),
	]);
});

test("reuse_for has no effect when each token names its request", () => {
	const config = {
		auth_methods: ["key"],
		set_claims: { txn: "$(request.id)" },
	};
	expect(warningsOf({ ...config, reuse_for: 60 })).toEqual([
		saying("config/reuse_for has no effect"),
	]);
	expect(warningsOf(config)).toEqual([]);
});

test("a test key that signs is one, and no key of one's own", () => {
	const { warnings } = prepare(rawConfig({ auth_methods: ["key"] }));
	expect(warnings).toEqual([
		{
			field: "private_jwk",
			message: saying("one of the package's test keys"),
			id: "test-key",
		},
	]);
	expect(warningsOf({ auth_methods: ["key"] })).toEqual([]);
});
