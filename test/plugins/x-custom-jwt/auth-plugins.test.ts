import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Consumer, Credential } from "../../../plugins/x-custom-jwt/facts";
import { AUTH_METHODS } from "../../../schema/fields";
import { packageRoot } from "../../../schema/package-root";
import type { KnownRequest } from "../../support/facts";
import { claimsFor, run } from "../../support/run";
import { credentials, service } from "../../support/samples";
import { readWire } from "../../support/wire";

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
	return {
		service,
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
	set_claims: { auth_method: "$(auth.method)" },
};
const CONSUMER = "contact@konghq.com-ID1";

describe("the row of an open-source plugin that real Kong hits", () => {
	test.each([
		["basic-auth", "basic", "my-user"],
		["key-auth", "key", "012345AZERTY!"],
		["jwt", "jwt", "web-shop"],
		["jwt-query", "jwt", "web-shop"],
		["hmac-auth", "basic", "hm"],
		["session", "consumer", CONSUMER],
	])("%s is %s", async (name, auth_method, client_id) => {
		const request = recorded(name);
		expect(request.credential).toBeDefined();
		expect(await claimsFor(request, config)).toMatchObject({
			auth_method,
			client_id,
			act: { client_id: CONSUMER },
		});
	});

	test.each(["anonymous-consumer", "anonymous-no-auth-plugin"])(
		"%s is nobody",
		async (name) => {
			expect((await run(recorded(name), config)).exit?.status).toBe(401);
		},
	);

	test("the listener's certificate is mtls when it was verified", async () => {
		const request = recorded("https-client-cert");
		expect(request.certificate).toContain("BEGIN CERTIFICATE");
		const verified = { ...request, vars: { ssl_client_verify: "SUCCESS" } };
		expect(await claimsFor(verified, config)).toMatchObject({
			auth_method: "mtls",
		});
	});

	test.each([
		["ldap-auth", credentials.ldap, "basic", "ldap-user"],
		["oauth2", credentials.oauth2, "oauth2", "shop"],
	])(
		"%s is %s, by its source",
		async (_, credential, auth_method, client_id) => {
			const request = { credential, service };
			expect(await claimsFor(request, config)).toMatchObject({
				auth_method,
				client_id,
			});
		},
	);
});

test("docs/auth-plugins.md has a row for each of them", () => {
	const table = readFileSync(
		join(packageRoot(), "docs/auth-plugins.md"),
		"utf8",
	);
	for (const plugin of [
		"basic-auth",
		"key-auth",
		"jwt",
		"hmac-auth",
		"ldap-auth",
		"oauth2",
		"session",
	])
		expect(table).toContain(`| ${plugin} |`);
});
