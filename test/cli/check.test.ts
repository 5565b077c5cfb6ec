import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Document, parseDocument } from "yaml";
import { checkConfiguration } from "../../cli/check";
import { makeConfiguration } from "../../declarative/model";
import { parseSource } from "../../declarative/text";
import { testKey } from "../../local/demo/flows";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";

const folder = temporaryFolder();
const ROOT = packageRoot();
const KONG_YML = readFileSync(join(ROOT, "kong.yml"), "utf8");
const REFERENCE = "{vault://env/x-custom-jwt-private-jwk}";

/** What the examples are warned of. */
const EXPECTED = [
	"methods-not-told-apart",
	"issuers-not-told-apart",
	"test-key",
	"not-read",
];

/** Findings on one text, as lines without the file's name, nor what the examples are warned of. */
async function check(...texts: string[]): Promise<string[]> {
	const files = texts.map((text, i) => parseSource(text, `${i}.yml`));
	const findings = await checkConfiguration(makeConfiguration(files));
	return findings
		.filter(({ id }) => !EXPECTED.includes(id))
		.map(
			({ line, column, severity, message }) =>
				`${line}:${column} ${severity}: ${message}`,
		);
}

/** Findings on kong.yml with changes; those it has without them are left out. */
async function checkEdited(edit: (document: Document) => void) {
	const document = parseDocument(KONG_YML);
	edit(document);
	const findings = await check(document.toString({ lineWidth: 0 }));
	return findings.filter((line) => !line.includes("no security plugin"));
}

const CONFIG = ["services", 0, "plugins", 0, "config"];
const TERMINATION = ["routes", 0, "plugins", 0, "config"];
const setIn = (path: unknown[], value: unknown) =>
	checkEdited((document) => document.setIn(path, value));
const publish = (...keys: object[]) =>
	setIn([...TERMINATION, "body"], JSON.stringify({ keys }, null, 2));

/** kong.yml with openid-connect on a route whose Bearer tokens are accepted. */
const oidcThat = (config: object) =>
	checkEdited((document) => {
		document.setIn([...CONFIG, "auth_methods"], ["oidc"]);
		document.setIn(["services", 0, "routes", 0, "plugins", 0], {
			name: "openid-connect",
			config,
		});
	});

const RS256 = JSON.parse(testKey("RS256-jwk-public.json"));
const OTHER = JSON.parse(testKey("idp-jwk-public.json"));

test("a published key with octets too many or too few is an error", async () => {
	const n = Buffer.concat([
		Buffer.alloc(1),
		Buffer.from(RS256.n, "base64url"),
	]).toString("base64url");
	const findings = await publish({ ...RS256, n });
	expect(findings).toContainEqual(
		expect.stringContaining("n must have the octets that the key demands"),
	);
	expect(findings.join()).not.toContain("is another key than");
});

describe("config check", () => {
	test("finds no error in the examples, which make up one configuration", async () => {
		const files = ["kong.yml", "kong-enterprise.yml"].map((name) =>
			join(ROOT, name),
		);
		const { code, stdout } = await run([
			"config",
			"check",
			"--ignore",
			"test-key",
			...files,
		]);
		expect(stdout).toMatch(/^0 errors, 1 warning, 1 note$/m);
		expect(code).toBe(0);
	});

	test("takes a test key for an error in every folder, unless the rule is ignored", async () => {
		const copy = join(folder, "copy.yml");
		writeFileSync(copy, KONG_YML);
		for (const file of [join(ROOT, "kong.yml"), copy]) {
			const checked = await run(["config", "check", file]);
			expect(checked.code).toBe(1);
			expect(checked.stdout).toContain(
				" error: x-custom-jwt on service httpbin: private_jwk is one of the package's test keys",
			);
			expect(checked.stdout).toContain("x-custom-jwt keys generate");
			const ignored = ["config", "check", "--ignore", "test-key", file];
			expect(await run(ignored)).toMatchObject({
				code: 0,
				stdout: expect.not.stringContaining("test keys"),
			});
		}
	});

	test("prints file, line and column of each finding, and exits 1 on an error", async () => {
		const file = join(folder, "kong.yml");
		writeFileSync(file, KONG_YML.replace("verbose: true", "verbose: maybe"));
		const line = KONG_YML.slice(0, KONG_YML.indexOf("verbose: true")).split(
			"\n",
		).length;
		const { code, stdout } = await run(["config", "check", file]);
		expect(stdout).toContain(
			`${file}:${line}:20 error: x-custom-jwt on service httpbin: verbose must be boolean [invalid-field]\n  ${line} |           verbose: maybe\n`,
		);
		expect(code).toBe(1);
		const json = await run(["config", "check", file, "--json"]);
		expect(json.code).toBe(1);
		expect(JSON.parse(json.stdout)).toContainEqual({
			file,
			line,
			column: 20,
			severity: "error",
			id: "invalid-field",
			message: "x-custom-jwt on service httpbin: verbose must be boolean",
			cure: expect.stringContaining("config explain verbose"),
			source: "          verbose: maybe",
		});
	});

	test("has no answer on a file that is not there", async () => {
		expect(await run(["config", "check", "nowhere.yml"])).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("nowhere.yml cannot be read: ENOENT"),
		});
	});
});

describe("what the plugin refuses at start is an error here:", () => {
	const hidden = { private_jwk: REFERENCE };
	test.each<[string, object, string]>([
		[
			"an unknown template",
			{ set_claims: { tenant: "$(foo.bar)" } },
			"set_claims",
		],
		["a broken template", { subject: "$(broken" }, "subject"],
		["an unknown algorithm", { ...hidden, algorithm: "bogus" }, "algorithm"],
		["an empty key ID", { ...hidden, key_id: "" }, "key_id"],
		[
			"an active_kid that is no text",
			{ ...hidden, active_kid: 5 },
			"active_kid",
		],
		["certificates that the key does not have", { include_x5c: true }, "x5c"],
		[
			"a vault reference where Kong takes none",
			{ iss: "{vault://env/iss}" },
			"iss",
		],
		[
			"null for a required field",
			{ upstream_custom_jwt_header: null },
			"upstream_custom_jwt_header",
		],
	])("%s", async (_, fields, field) => {
		const findings = await checkEdited((document) => {
			for (const [name, value] of Object.entries(fields))
				document.setIn([...CONFIG, name], value);
		});
		const errors = findings.filter((line) => line.includes(" error: "));
		expect(errors).toHaveLength(1);
		expect(errors[0]).toContain(field);
	});

	test("all of them at once", async () => {
		const findings = await checkEdited((document) => {
			document.setIn([...CONFIG, "subject"], "$(broken");
			document.setIn([...CONFIG, "audience"], ["$(foo.bar)"]);
			document.setIn([...CONFIG, "verbose"], 1);
		});
		expect(findings.filter((line) => line.includes(" error: "))).toHaveLength(
			3,
		);
	});
});

describe("what Kong accepts is no error:", () => {
	test.each<[string, object]>([
		[
			"include_x5c with a key in a vault",
			{ private_jwk: REFERENCE, include_x5c: true },
		],
		["a member of a set twice", { auth_methods: ["key", "basic", "basic"] }],
		["maps and arrays without members", { add_claims: {}, remove_claims: [] }],
		["null for a field that need not be there", { audience: null }],
	])("%s", async (_, fields) => {
		const findings = await checkEdited((document) => {
			for (const [name, value] of Object.entries(fields))
				document.setIn([...CONFIG, name], value);
		});
		expect(findings.filter((line) => line.includes(" error: "))).toEqual([]);
	});

	test("but a vault reference that Kong takes for a text is a warning", async () => {
		expect(
			(await setIn([...CONFIG, "subject"], "{vault://env/sub}")).join(),
		).toContain(
			"warning: x-custom-jwt on service httpbin: subject is a vault reference",
		);
	});
});

test.each([
	["methods", "auth_method: $(auth.method)", "accepts several methods"],
	["issuers", "idp: $(auth.issuer)", "accepts jwt, tokens of every issuer"],
])(
	"several %s that no claim tells apart are a warning",
	async (_, claim, said) => {
		const source = parseSource(KONG_YML.replace(claim, ""), "kong.yml");
		const findings = await checkConfiguration(makeConfiguration([source]));
		expect(
			findings.filter(({ message }) => message.includes("tells them apart")),
		).toMatchObject([
			{ severity: "warning", message: expect.stringContaining(said) },
		]);
	},
);

describe("a route that looks like introspection", () => {
	const introspect = ["routes", 1, "plugins"];

	test("and lets any jwt credential in is an error", async () => {
		const findings = await checkEdited((d) => d.deleteIn([...introspect, 1]));
		expect(findings.join("\n")).toMatch(/error: route introspect: .* no acl/);
	});

	test("and takes tokens of a shared secret is an error", async () => {
		const findings = await checkEdited((d) =>
			d.addIn(["consumers", 2, "jwt_secrets"], {
				key: "other",
				algorithm: "HS256",
				secret: "s",
			}),
		);
		expect(findings.join("\n")).toMatch(/error: .*HS256/);
	});
});

test("a JWK Set as a YAML map is named as that", async () => {
	expect(
		(await setIn([...TERMINATION, "body"], { keys: [RS256] })).join(),
	).toContain("is a YAML map, but Kong expects a string");
});

test("a path that is no regular expression of Kong's is an error", async () => {
	expect((await setIn(["routes", 0, "paths"], ["~/(?=x)"])).join()).toContain(
		"error: route",
	);
});

describe("a fault is found:", () => {
	test.each<[string, () => Promise<string[]>, string]>([
		[
			"a field of the wrong kind",
			() => setIn([...CONFIG, "expires_in"], 0),
			"error: x-custom-jwt on service httpbin: expires_in must be > 0",
		],
		[
			"a field the plugin does not have",
			() => setIn([...CONFIG, "issuer"], "x"),
			'error: x-custom-jwt on service httpbin: "issuer" is not a field of the plugin',
		],
		[
			"no key",
			() => checkEdited((d) => d.deleteIn([...CONFIG, "private_jwk"])),
			"error: x-custom-jwt on service httpbin: private_jwk is missing",
		],
		[
			"a key with a member missing",
			() => setIn([...CONFIG, "private_jwk"], testKey("RS256-jwk-public.json")),
			"error: x-custom-jwt on service httpbin: private_jwk/d is missing",
		],
		[
			"a kid that is not published",
			() => publish({ ...RS256, kid: "old" }),
			'error: x-custom-jwt on service httpbin: its kid "kong" is not in the JWK Set of route x-custom-jwt-jwks, so backends reject its tokens',
		],
		[
			"another key under its kid",
			() => publish({ ...OTHER, kid: "kong" }),
			'error: x-custom-jwt on service httpbin: key "kong" in the JWK Set of route x-custom-jwt-jwks is another key',
		],
		[
			"another algorithm under its kid",
			() => publish({ ...RS256, alg: "PS256" }),
			'error: x-custom-jwt on service httpbin: it signs with RS256, but key "kong" in the JWK Set of route x-custom-jwt-jwks is for "PS256"',
		],
		[
			"a private key that is published",
			() =>
				setIn(
					[...TERMINATION, "body"],
					`{"keys":[${testKey("RS256-jwk-private.json")}]}`,
				),
			'error: the JWK Set of route x-custom-jwt-jwks gives away private members of key "kong"',
		],
		[
			"a secret that is published",
			() => publish(RS256, { kty: "oct", k: "AAAA", kid: "s" }),
			'error: the JWK Set of route x-custom-jwt-jwks gives away private members of key "s"',
		],
		[
			"two keys of one kid",
			() => publish(RS256, { ...OTHER, kid: "kong" }),
			'error: the JWK Set of route x-custom-jwt-jwks has the kid "kong" more than once',
		],
		[
			"a published key that is none",
			() => publish(RS256, { ...OTHER, n: "AQAB" }),
			'error: the JWK Set of route x-custom-jwt-jwks: key "idp": n must have at least 2048 bits',
		],
		[
			"a JWK Set that is no JSON",
			() => setIn([...TERMINATION, "body"], "keys:"),
			"error: the JWK Set of route x-custom-jwt-jwks: not JSON",
		],
		[
			"a JWK where a JWK Set should be",
			() => setIn([...TERMINATION, "body"], JSON.stringify(RS256)),
			"error: the JWK Set of route x-custom-jwt-jwks is a JWK",
		],
		[
			"a JWK Set that is not answered with 200",
			() => checkEdited((d) => d.deleteIn([...TERMINATION, "status_code"])),
			"error: the JWK Set of route x-custom-jwt-jwks has the status 503",
		],
		[
			"a JWK Set that browsers cannot read",
			() => checkEdited((d) => d.deleteIn(["routes", 0, "plugins", 1])),
			"note: the JWK Set of route x-custom-jwt-jwks has no cors plugin",
		],
		[
			"a jku that no route serves",
			() => setIn([...CONFIG, "jku"], "https://kong/other"),
			"warning: x-custom-jwt on service httpbin: no route here serves the JWK Set at jku",
		],
		[
			"no jku",
			() => setIn([...CONFIG, "jku"], ""),
			"note: x-custom-jwt on service httpbin: jku is empty, so the JWK Set that has the key is not known here",
		],
		[
			"a key that only the vault knows",
			() => setIn([...CONFIG, "private_jwk"], REFERENCE),
			"note: x-custom-jwt on service httpbin: private_jwk is a reference, so the key itself was not checked",
		],
		[
			"a key that decK takes from the environment",
			// biome-ignore lint/suspicious/noTemplateCurlyInString: decK's own syntax
			() => setIn([...CONFIG, "private_jwk"], '${{ env "DECK_JWK" }}'),
			"note: x-custom-jwt on service httpbin: private_jwk is a reference",
		],
		[
			"a symmetric key",
			() => setIn([...CONFIG, "private_jwk"], testKey("HS256-jwk.json")),
			"note: x-custom-jwt on service httpbin: HS256 is symmetric",
		],
		[
			"a key without kid",
			() =>
				setIn(
					[...CONFIG, "private_jwk"],
					JSON.stringify({
						...JSON.parse(testKey("RS256-jwk-private.json")),
						kid: undefined,
					}),
				),
			"warning: x-custom-jwt on service httpbin: private_jwk: kid is missing: PyJWT",
		],
		[
			"a kid outside ASCII",
			() => setIn([...CONFIG, "key_id"], "clé"),
			"warning: x-custom-jwt on service httpbin: private_jwk: kid has characters outside ASCII: jwks-rsa (Node.js)",
		],
		[
			"key_ops with an operation twice",
			() =>
				setIn(
					[...CONFIG, "private_jwk"],
					JSON.stringify({
						...JSON.parse(testKey("RS256-jwk-private.json")),
						key_ops: ["sign", "sign"],
					}),
				),
			"warning: x-custom-jwt on service httpbin: private_jwk: key_ops names an operation twice (RFC 7517 §4.3): jose",
		],
		[
			"a published x5c that is no DER",
			() => publish({ ...RS256, x5c: ["-----BEGIN CERTIFICATE-----"] }),
			'error: the JWK Set of route x-custom-jwt-jwks: key "kong": x5c/0 is no certificate: DER in base64 is expected, so go-jose',
		],
		[
			"a route without service",
			() =>
				setIn(["routes", 1, "plugins", 0], {
					name: "x-custom-jwt",
					config: { private_jwk: testKey("RS256-jwk-private.json") },
				}),
			"error: x-custom-jwt on route introspect: route introspect has no service",
		],
		[
			"openid-connect without oidc",
			() =>
				setIn(["services", 0, "routes", 0, "plugins", 0], {
					name: "openid-connect",
				}),
			"warning: x-custom-jwt on service httpbin: openid-connect guards route basicAuth, but auth_methods does not have oidc",
		],
		[
			"openid-connect that hides the Bearer token since Kong 3.14",
			() => oidcThat({}),
			"warning: x-custom-jwt on service httpbin: openid-connect on route basicAuth takes the Bearer token away since Kong 3.14",
		],
		[
			"oidc without openid-connect",
			() => setIn([...CONFIG, "auth_methods"], ["oidc", "basic"]),
			"error: x-custom-jwt on service httpbin: auth_methods has oidc, but openid-connect does not guard route basicAuth",
		],
		[
			"openid-connect that accepts a session too",
			() => oidcThat({ auth_methods: ["bearer", "session"] }),
			"error: x-custom-jwt on service httpbin: openid-connect on route basicAuth accepts more than Bearer tokens",
		],
		[
			"openid-connect that accepts all methods, which is its default",
			() => oidcThat({ hide_credentials: false }),
			"error: x-custom-jwt on service httpbin: openid-connect on route basicAuth accepts more than Bearer tokens",
		],
		[
			"session where only key is accepted",
			() =>
				checkEdited((document) => {
					document.setIn([...CONFIG, "auth_methods"], ["key"]);
					document.addIn(["services", 0, "routes", 1, "plugins"], {
						name: "session",
					});
				}),
			"error: x-custom-jwt on service httpbin: session guards route apiKey too, but auth_methods has key only",
		],
		[
			"an anonymous consumer where only key is accepted",
			() =>
				checkEdited((document) => {
					document.setIn([...CONFIG, "auth_methods"], ["key"]);
					document.setIn(
						["services", 0, "routes", 1, "plugins", 0, "config", "anonymous"],
						"guest",
					);
				}),
			"error: x-custom-jwt on service httpbin: key-auth on route apiKey lets an anonymous consumer through",
		],
		[
			"two plugins that are both the method basic",
			() =>
				checkEdited((document) =>
					document.addIn(["services", 0, "routes", 0, "plugins"], {
						name: "hmac-auth",
					}),
				),
			"warning: x-custom-jwt on service httpbin: basic-auth and hmac-auth guard route basicAuth and are all the method basic",
		],
		[
			"openid-connect that hides the Bearer token",
			() => oidcThat({ hide_credentials: true }),
			"error: x-custom-jwt on service httpbin: openid-connect on route basicAuth takes the Bearer token away with hide_credentials",
		],
	])("%s", async (_, findings, expected) => {
		expect(await findings()).toContainEqual(expect.stringContaining(expected));
	});

	test.each([
		["without kid", { kid: undefined }, "kid is missing: PyJWT, jwx"],
		["of a kid outside ASCII", { kid: "clé" }, "kid has characters outside"],
		["with operations twice", { key_ops: ["verify", "verify"] }, "key_ops"],
		["without alg", { alg: undefined }, "alg is missing: jwx"],
	])("a published key %s", async (_, members, warning) => {
		const findings = await publish(RS256, { ...OTHER, ...members });
		expect(findings).toEqual([
			expect.stringMatching(
				`warning: the JWK Set of route x-custom-jwt-jwks: .*: ${warning}`,
			),
		]);
	});

	test("no security plugin on the route, unless another entry brings one", async () => {
		expect(await check(KONG_YML)).toEqual([
			expect.stringContaining("no security plugin on route mtlsAuth"),
		]);
		const document = parseDocument(KONG_YML);
		document.set("plugins", [{ name: "key-auth", route: "mtlsAuth" }]);
		expect(await check(document.toString())).toEqual([]);
		document.set("plugins", [{ name: "jwt-signer", route: "mtlsAuth" }]);
		expect(await check(document.toString())).toEqual([
			expect.stringContaining(
				"no security plugin on route mtlsAuth but jwt-signer, which runs after this one",
			),
		]);
		document.set("plugins", [
			{ name: "key-auth", route: "mtlsAuth", enabled: false },
		]);
		expect(await check(document.toString())).toHaveLength(1);
	});

	test("YAML that cannot be read, with its line and without what is on it", async () => {
		const secret = "c2VjcmV0LXNlY3JldA";
		expect(await check(`services:\n  - name: a\n   url: ${secret}\n`)).toEqual([
			expect.stringMatching(/^3:\d+ error: not YAML that Kong could read: /),
		]);
		expect(await check(`services: [\n"${secret}`)).not.toEqual([]);
		expect(
			(await check(`{ a: "${secret}`, `a: ${secret}\na: 1`)).join(),
		).not.toContain(secret);
		expect(await check("a: &x 1\nb: *y\n")).toEqual([
			"2:4 error: no anchor &y before this alias",
		]);
		expect(await check("- 1")).toEqual(["1:1 error: a map is expected"]);
	});

	test("a second document, which Kong would not read", async () => {
		expect(await check(`${KONG_YML}---\nservices: []\n`)).toEqual([
			expect.stringMatching(
				/^\d+:1 error: a second document begins; one is expected$/,
			),
		]);
		expect(await check(`---\n${KONG_YML}...\n# end\n`)).toEqual(
			await check(`# start\n${KONG_YML}`),
		);
	});

	describe("the plugin everywhere, so also on routes that answer by themselves", () => {
		const closed = (route: string) =>
			expect.stringMatching(
				`error: x-custom-jwt on every route: it runs on route ${route} too, .* rejects requests there with 401`,
			);

		async function checkEverywhere(config: object) {
			const document = parseDocument(KONG_YML);
			for (const [field, value] of Object.entries(config))
				document.setIn([...CONFIG, field], value);
			document.set("plugins", [document.getIn(["services", 0, "plugins", 0])]);
			document.deleteIn(["services", 0, "plugins"]);
			return check(document.toString());
		}

		test("closes the JWK Set and introspection", async () => {
			const findings = await checkEverywhere({});
			expect(findings).toContainEqual(closed("x-custom-jwt-jwks"));
			expect(findings).toContainEqual(closed("introspect"));
			// What would happen to a token there does not matter.
			expect(findings.join()).not.toContain("has no service");
		});

		test("leaves the JWK Set open, but not introspection, where who is nobody may pass", async () => {
			const findings = await checkEverywhere({ unauthenticated: "pass" });
			expect(findings).not.toContainEqual(closed("x-custom-jwt-jwks"));
			expect(findings).toContainEqual(closed("introspect"));
		});

		test("is no error on a route that says it is out of service", async () => {
			const findings = await checkEdited((document) =>
				document.addIn(
					["services", 0, "routes", 0, "plugins"],
					document.createNode({
						name: "request-termination",
						config: { status_code: 503 },
					}),
				),
			);
			expect(findings).not.toContainEqual(
				expect.stringContaining("request-termination"),
			);
		});
	});

	test.each([
		["an anchor that contains itself", "a: &a\n  <<: *a\n"],
		[
			"aliases that multiply",
			["a: &a0 [x,x]"]
				.concat(
					Array.from(
						{ length: 30 },
						(_, i) => `a${i}: &a${i + 1} [*a${i},*a${i}]`,
					),
				)
				.join("\n"),
		],
	])("%s", async (_, yaml) => {
		expect(await check(yaml)).toEqual([
			"1:1 error: an anchor contains an alias to itself, or aliases multiply",
		]);
	});

	test("nothing in 200 routes that share a key by an alias", async () => {
		const config = JSON.stringify({
			private_jwk: testKey("RS256-jwk-private.json"),
		});
		const routes = Array.from(
			{ length: 200 },
			(_, i) => `
      - name: r${i}
        paths: [/r${i}]
        plugins:
          - name: key-auth
          - { name: x-custom-jwt, config: ${i ? "*config" : `&config ${config}`} }`,
		);
		const yaml = `services:\n  - name: s\n    url: http://b\n    routes:${routes.join("")}\n`;
		const findings = await check(yaml);
		expect(findings.filter((line) => line.includes("error"))).toEqual([]);
		expect(findings).toHaveLength(200);
	});

	test("all faults of an entry, not only the first", async () => {
		const findings = await checkEdited((document) => {
			document.setIn([...CONFIG, "iss"], "no url:");
			document.setIn([...CONFIG, "auth_methods"], ["ldap"]);
			document.setIn([...CONFIG, "verbose"], 1);
		});
		expect(findings.filter((line) => line.includes("error"))).toHaveLength(3);
	});
});

describe("a configuration may be written", () => {
	const service = (plugins: string, more = "") => `
_format_version: "3.0"
_info: { select_tags: [team-a] }
_konnect: { control_plane_name: production }
services:
  - name: s
    url: http://backend
    routes:
      - name: r
        paths: [/r]
        plugins:
          - name: key-auth
          ${plugins}
  - name: keys
    url: http://nowhere
    routes:
      - name: jwks
        paths: ["~/x-custom-jwt/jwks$"]
        plugins:
          - { name: cors }
          - name: request-termination
            config:
              status_code: 200
              body: '${JSON.stringify({ keys: [RS256] })}'
${more}`;
	const key = JSON.stringify(JSON.parse(testKey("RS256-jwk-private.json")));
	const wrong = JSON.stringify(JSON.parse(testKey("idp-jwk-private.json")));

	test.each<[string, (jwk: string) => string]>([
		[
			"for Konnect, in flow style",
			(jwk) =>
				service(`- { name: x-custom-jwt, config: { private_jwk: '${jwk}' } }`),
		],
		[
			"with an alias",
			(jwk) =>
				`_key: &key '${jwk}'\n${service("- { name: x-custom-jwt, config: { private_jwk: *key } }")}`,
		],
		[
			"with a merge key",
			(jwk) =>
				`_key: &config { private_jwk: '${jwk}' }\n${service("- { name: x-custom-jwt, config: { <<: *config, expires_in: 60 } }")}`,
		],
		[
			"with decK's shared plugin configuration",
			(jwk) =>
				service(
					"- { name: x-custom-jwt, _config: shared }",
					`_plugin_configs: { shared: { private_jwk: '${jwk}' } }`,
				),
		],
		[
			"with the plugin apart from its route",
			(jwk) =>
				service(
					"",
					`plugins: [{ name: x-custom-jwt, route: { name: r }, config: { private_jwk: '${jwk}' } }]`,
				),
		],
		[
			"with the plugin on the service, apart from it",
			(jwk) =>
				service(
					"",
					`plugins: [{ name: x-custom-jwt, service: s, config: { private_jwk: '${jwk}' } }]`,
				),
		],
		[
			"as JSON",
			(jwk) =>
				JSON.stringify(
					parseDocument(
						service(
							`- { name: x-custom-jwt, config: { private_jwk: '${jwk}' } }`,
						),
					).toJS(),
				),
		],
	])("%s", async (_, write) => {
		expect(await check(write(key))).toEqual([]);
		expect(await check(write(wrong))).toEqual([
			expect.stringContaining(
				'its kid "idp" is not in the JWK Set of route jwks',
			),
		]);
	});
});
