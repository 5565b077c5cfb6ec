import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Consumer, Credential } from "../../core/questions";
import { AUTH_METHODS } from "../../schema/fields";
import { packageRoot } from "../../schema/package-root";
import { onBothServers } from "../support/both-servers";
import type { KnownRequest } from "../support/facts";
import { service } from "../support/samples";
import { readWire } from "../support/wire";

/** What real Kong answered in a recording to a PDK call about something with a name. */
function answered(recording: string, method: string, name: string): unknown {
	const frames = readWire(recording);
	const call = frames.findIndex(
		(frame, index) =>
			frame.method === method &&
			Object.values(frames[index + 1]?.decoded ?? {}).includes(name),
	);
	const { decoded } = frames[call + 2] ?? {};
	// An empty frame, and no value.
	return call < 0 || JSON.stringify(decoded) === "{}" ? undefined : decoded;
}

/** A request as real Kong knew it. */
function recorded(name: string): KnownRequest {
	const ctx = (member: string) => answered(name, "kong.nginx.get_ctx", member);
	const variable = (member: string) =>
		(answered(name, "kong.nginx.get_var", member) as { v?: string })?.v;
	const names = ["http_x_anonymous_consumer", "ssl_client_verify"];
	const vars = names.flatMap((one) => {
		const value = variable(one);
		return value === undefined ? [] : [[one, value]];
	});
	const authorization = answered(
		name,
		"kong.request.get_header",
		"authorization",
	) as { v?: string } | undefined;
	return {
		service,
		headers: authorization?.v ? { authorization: authorization.v } : {},
		credential: ctx("authenticated_credential") as Credential | undefined,
		consumer: ctx("authenticated_consumer") as Consumer | undefined,
		vars: Object.fromEntries(vars),
		certificate: variable("ssl_client_raw_cert"),
		shared: {
			authenticated_jwt_token: answered(
				name,
				"kong.ctx.shared.get",
				"authenticated_jwt_token",
			),
		},
	};
}

const config = {
	auth_methods: AUTH_METHODS,
	set_claims: { auth_method: "$(auth.method)", auth_plugin: "$(auth.plugin)" },
};
const CONSUMER = "contact@konghq.com-ID1";

onBothServers((outcome) => {
	test.each([
		["basic-auth", "basic", "my-user"],
		["key-auth", "key", "012345AZERTY!"],
		["jwt", "jwt", "web-shop"],
		["jwt-query", "jwt", "web-shop"],
		["hmac-auth", "basic", "hm"],
		["oauth2", "oauth2", "shop"],
		["session", "consumer", CONSUMER],
	])(
		"%s, as real Kong left it, is %s",
		async (name, auth_method, client_id) => {
			const request = recorded(name);
			expect(request.credential).toBeDefined();
			expect(await outcome(request, config)).toMatchObject({
				auth_method,
				client_id,
				act: { client_id: CONSUMER },
			});
		},
	);

	test.each(["basic-auth", "hmac-auth", "key-auth", "jwt", "oauth2"])(
		"$(auth.plugin) is %s, as its credential shows",
		async (auth_plugin) => {
			expect(await outcome(recorded(auth_plugin), config)).toMatchObject({
				auth_plugin,
			});
		},
	);

	test("ldap-auth is basic, of no consumer; nothing tells the password, nor the hash that Kong calls its id", async () => {
		const request = recorded("ldap-auth");
		const { id, password } = request.credential ?? {};
		expect([id, password]).toEqual([
			expect.stringMatching(/^ldap_auth_cache:/),
			"ldap-secret",
		]);
		const set_claims = { ...config.set_claims, id: "$(credential.id)" };
		const claims = await outcome(request, { ...config, set_claims });
		expect(claims).toMatchObject({
			auth_method: "basic",
			auth_plugin: "ldap-auth",
			client_id: "ldap-user",
		});
		for (const claim of ["act", "id"]) expect(claims).not.toHaveProperty(claim);
	});

	test.each([
		"anonymous-consumer",
		"anonymous-no-auth-plugin",
		"or-anonymous",
		// With a Bearer token of the client's own making.
		"http2-anonymous-forged",
		// Behind a load balancer with a certificate.
		"http2-client-cert-anonymous",
	])("%s is nobody", async (name) => {
		expect(await outcome(recorded(name), config)).toBe(401);
	});

	// One of basic-auth and key-auth, each with `anonymous`, and acl.
	test.each([
		["or-basic-auth", "basic", "my-user"],
		["or-key-auth", "key", "012345AZERTY!"],
		// The client says that it is anonymous.
		["or-forged-anonymous", "basic", "my-user"],
		// And everything else that Kong's plugins say to a backend.
		["http2-forged", "basic", "my-user"],
		["http2-client-cert-basic-auth", "basic", "my-user"],
	])(
		"either of several plugins tells the client: %s is %s",
		async (name, auth_method, client_id) => {
			expect(await outcome(recorded(name), config)).toMatchObject({
				auth_method,
				client_id,
				act: { client_id: CONSUMER },
			});
		},
	);

	test.each(["https-client-cert", "http2-client-cert"])(
		"the listener's certificate, where nothing else is, is mtls: %s",
		async (name) => {
			expect(await outcome(recorded(name), config)).toMatchObject({
				auth_method: "mtls",
				client_id: expect.stringMatching(/CN=/),
			});
		},
	);
});

const table = readFileSync(join(packageRoot(), "docs/auth-plugins.md"), "utf8");

test.each([
	["basic-auth", "recorded"],
	["key-auth", "recorded"],
	["jwt", "recorded"],
	["hmac-auth", "recorded"],
	["ldap-auth", "recorded"],
	["oauth2", "recorded"],
	["session", "recorded"],
	["key-auth-enc", "docs"],
	["ldap-auth-advanced", "docs"],
	["mtls-auth", "docs"],
	["openid-connect", "docs"],
	["oauth2-introspection", "docs"],
	["vault-auth", "docs"],
	["jwt-signer, ai-mcp-oauth2, saml, header-cert-auth", "docs"],
])(
	"docs/auth-plugins.md has a row for %s, and says how it is known: %s",
	(plugin, known) => {
		const row = table
			.split("\n")
			.find((line) => line.startsWith(`| ${plugin} |`));
		expect(row?.split("|").at(-2)).toContain(known);
	},
);
