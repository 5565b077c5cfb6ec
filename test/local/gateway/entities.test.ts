import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeConfiguration } from "../../../declarative/model";
import { parseSource } from "../../../declarative/text";
import {
	entitiesOf,
	loadDeclarative,
	parseDeclarative,
} from "../../../local/gateway/entities";
import { ExternalPlugin } from "../../../local/gateway/external-plugin";
import { type Gateway, startGateway } from "../../../local/gateway/gateway";
import { MessagePackRpc } from "../../../local/gateway/messagepack";
import { kongFields } from "../../../schema/kong";
import { packageRoot } from "../../../schema/package-root";
import { temporaryFolder } from "../../support/server";

const ROOT = packageRoot();

const parse = (yaml: string) => parseDeclarative(yaml, "test.yml");

/** A file with one service of one route, and members added to each. */
function oneRoute(added: {
	service?: object;
	route?: object;
	plugins?: object[];
}) {
	const { plugins = [] } = added;
	const route = { name: "r", paths: ["/r"], plugins, ...added.route };
	const service = { name: "s", url: "http://b", routes: [route] };
	return JSON.stringify({
		_format_version: "3.0",
		services: [{ ...service, ...added.service }],
	});
}

const oneConsumer = (consumer: object) =>
	JSON.stringify({ _format_version: "3.0", consumers: [consumer] });

describe("what the gateway does not imitate is named with its place", () => {
	test.each([
		[
			"a kind of entity",
			'_format_version: "3.0"\nupstreams:\n- name: u',
			"test.yml:3: upstreams",
		],
		[
			"a member of a service",
			oneRoute({ service: { retries: 1 } }),
			"test.yml:1: retries in services",
		],
		[
			"a member of a route",
			oneRoute({ route: { path_handling: "v1" } }),
			"test.yml:1: path_handling in routes",
		],
		[
			"a route with an expression",
			oneRoute({ route: { paths: undefined, expression: "true" } }),
			"test.yml:1: a route with an expression",
		],
		[
			"a member of a plugin entry",
			oneRoute({
				plugins: [{ name: "cors", ordering: { before: { access: ["acl"] } } }],
			}),
			"test.yml:1: ordering in plugins",
		],
		[
			"a plugin entry on a consumer",
			oneConsumer({ username: "u", plugins: [{ name: "cors" }] }),
			"test.yml:1: plugin cors on a consumer or consumer group",
		],
		[
			"credentials of another kind",
			oneConsumer({ username: "u", hmacauth_credentials: [{}] }),
			"test.yml:1: hmacauth_credentials in consumers",
		],
		[
			"a member of a credential",
			oneConsumer({ keyauth_credentials: [{ key: "k", ttl: 1 }] }),
			"test.yml:1: ttl in keyauth_credentials",
		],
		[
			"a credential without its key",
			oneConsumer({ keyauth_credentials: [{ tags: ["a"] }] }),
			"test.yml:1: what lacks key in keyauth_credentials",
		],
	])("%s", (_, yaml, message) => {
		expect(() => parse(yaml)).toThrow(
			`${message} is not supported by the local gateway`,
		);
	});

	test("and everything else is served", () => {
		const file = oneRoute({
			service: { retries: 1 },
			plugins: [{ name: "cors" }],
		});
		const { entities, leftOut } = entitiesOf(
			makeConfiguration([parseSource(file, "test.yml")]),
		);
		expect(leftOut).toEqual([
			{ what: "retries in services", place: "test.yml:1" },
		]);
		expect(entities.routes[0]?.plugins).toMatchObject([{ name: "cors" }]);
	});
});

test("a service without URL and host is an error, named with its place", () => {
	expect(() => parse(oneRoute({ service: { url: undefined } }))).toThrow(
		"test.yml:1: Service s has no url that can be read, and no host",
	);
});

describe("a configuration as decK and Konnect dump it", () => {
	const { routes, keyAuthCredentials, basicAuthCredentials, passwords } =
		parse(`
_format_version: "3.0"
_info: { defaults: {}, select_tags: [t] }
_konnect: { control_plane_name: c }
services:
- name: s
  connect_timeout: 60000
  enabled: true
  host: orders.internal
  port: 8080
  path: /v1
  protocol: http
  read_timeout: 60000
  retries: 5
  write_timeout: 60000
  routes:
  - name: r
    hosts: [api.example.com]
    methods: [GET]
    headers: { x-version: ["2"] }
    https_redirect_status_code: 426
    path_handling: v0
    paths: [/orders]
    preserve_host: false
    protocols: [http, https]
    regex_priority: 0
    request_buffering: true
    response_buffering: true
    strip_path: true
- name: stopped
  url: http://off
  enabled: false
  routes: [{ name: stopped, paths: [/stopped] }]
plugins:
- name: cors
  enabled: true
  protocols: [grpc, grpcs, http, https]
- { name: acl, enabled: false, config: { allow: [a] } }
consumers:
- username: c
  id: 00000000-0000-4000-8000-000000000001
  custom_id: null
  basicauth_credentials:
  - { username: plain, password: secret }
  - { username: hashed, password: 4a5e, skip_hash: true }
keyauth_credentials:
- { consumer: { username: c }, key: apart }
upstreams: []
`);

	test("has its services by host, and its routes by all that Kong matches", () => {
		expect(routes).toMatchObject([
			{
				entity: { name: "r" },
				matchable: {
					hosts: ["api.example.com"],
					methods: ["GET"],
					headers: { "x-version": ["2"] },
				},
				service: {
					protocol: "http",
					host: "orders.internal",
					port: 8080,
					path: "/v1",
				},
				plugins: [{ name: "cors", scope: {} }],
			},
		]);
	});

	test("has credentials wherever they stand, and passwords as far as they are plain", () => {
		const consumer = { id: "00000000-0000-4000-8000-000000000001" };
		expect(keyAuthCredentials).toMatchObject([{ key: "apart", consumer }]);
		const [plain] = basicAuthCredentials;
		expect([...passwords]).toEqual([[plain?.id, "secret"]]);
	});
});

test.each([
	["YAML that cannot be read", "- name: x-custom-jwt\n  config: 'SECRET' x"],
	["two documents", 'a: "SECRET"\n---\nb: "SECRET"'],
	["an alias without anchor", "a: SECRET\nb: *c"],
])("%s is refused with its place and without what is there", (_, yaml) => {
	expect(() => parse(yaml)).toThrow(/^test.yml:2:\d+: (?!.*SECRET)/s);
});

describe("the gateway does not start on", () => {
	const running: Gateway[] = [];
	afterEach(() => Promise.all(running.splice(0).map((one) => one.close())));

	async function start(plugin: { name: string; config?: object }) {
		const info = {
			Name: "x-custom-jwt",
			Version: "1.0.0",
			Phases: ["access"],
			Priority: 1025,
			Schema: {
				name: "x-custom-jwt",
				fields: [{ config: { type: "record" as const, fields: kongFields } }],
			},
		};
		const log = () => {};
		const rpc = new MessagePackRpc("not connected to", log);
		const gateway = await startGateway({
			configuration: parse(oneRoute({ plugins: [plugin] })),
			externalPlugins: [
				new ExternalPlugin(JSON.parse(JSON.stringify(info)), rpc, log),
			],
			httpPort: 0,
			httpsPort: 0,
			clientCa: "",
			resolve: new Map(),
			log,
		});
		running.push(gateway);
	}

	test.each([
		[
			"a plugin it does not know",
			{ name: "rate-limiting" },
			"rate-limiting on route r (test.yml:1): not supported by the local gateway",
		],
		[
			"a field of a plugin it does not know",
			{ name: "key-auth", config: { key_in_cookie: true } },
			"key-auth on route r (test.yml:1): /key_in_cookie is not supported by the local gateway",
		],
		[
			"a value of a plugin's field it does not know",
			{ name: "jwt", config: { claims_to_verify: ["iat"] } },
			"jwt on route r (test.yml:1): /claims_to_verify/0 must be equal to one of the allowed values",
		],
		[
			"a field that x-custom-jwt does not have",
			{ name: "x-custom-jwt", config: { private_jwk: "{}", issuer: "i" } },
			"x-custom-jwt on route r (test.yml:1): issuer: unknown field",
		],
		[
			"a reference to another vault than the environment",
			{ name: "x-custom-jwt", config: { private_jwk: "{vault://aws/k}" } },
			"{vault://aws/k} is not supported by the local gateway",
		],
		[
			"x-custom-jwt without a key",
			{ name: "x-custom-jwt", config: { verbose: true } },
			"x-custom-jwt on route r (test.yml:1): private_jwk: required field missing",
		],
	])("%s", async (_, plugin, message) => {
		await expect(start(plugin)).rejects.toThrow(message);
	});
});

test("a plugin on the route wins over the same one on the service", () => {
	const onRoute = { id: "on-route", name: "key-auth" };
	const onService = { id: "on-service", name: "key-auth" };
	const cors = { id: "cors", name: "cors" };
	const { routes } = parse(
		oneRoute({
			service: { id: "s-id", plugins: [onService, cors] },
			route: { id: "r-id" },
			plugins: [onRoute],
		}),
	);
	expect(routes[0]?.plugins).toMatchObject([
		{ id: "on-route", scope: { route_id: "r-id" } },
		{ id: "cors", scope: { service_id: "s-id" } },
	]);
});

describe("a plugin entry that stands apart from its Service", () => {
	const apart = (service: string) =>
		JSON.stringify({
			_format_version: "3.0",
			plugins: [{ id: "apart", name: "cors", service }],
		});
	const load = (...texts: string[]) =>
		loadDeclarative(
			texts.map((text, index) => {
				const path = join(folder, `${index}.yml`);
				writeFileSync(path, text);
				return path;
			}),
		);
	const folder = temporaryFolder();

	test("runs on the Service's routes, which another file may define", () => {
		const { routes } = load(apart("s"), oneRoute({ service: { id: "s-id" } }));
		expect(routes[0]?.plugins).toMatchObject([
			{ id: "apart", scope: { service_id: "s-id" } },
		]);
	});

	test("is refused when there is no such Service", () => {
		expect(() => load(apart("other"), oneRoute({}))).toThrow(
			/0\.yml:1: plugin cors on a service that is not there is not supported/,
		);
	});
});

test("anchors are followed, and a field that is null counts as not given, as in Kong", () => {
	const { routes } = parse(`
_format_version: "3.0"
services:
- name: s
  url: http://b
  routes:
  - name: r
    paths: [/r]
    plugins:
    - { name: key-auth, config: &config { key_names: null } }
  - name: r2
    paths: [/r2]
    plugins:
    - { name: key-auth, config: { <<: *config } }
`);
	expect(routes.map(({ plugins }) => plugins[0]?.config)).toEqual([{}, {}]);
});

describe("the example files hold", () => {
	const { routes, jwtSecrets, caCertificates } = loadDeclarative([
		join(ROOT, "kong.yml"),
		join(ROOT, "kong-enterprise.yml"),
	]);
	const testKey = (name: string) =>
		readFileSync(join(ROOT, "test-keys", name), "utf8");

	function configsOf(plugin: string, field: string): unknown[] {
		return routes
			.flatMap(({ plugins }) => plugins)
			.filter(({ name, config }) => name === plugin && field in config)
			.map(({ config }) => JSON.parse(String(config[field])));
	}

	test("the private key of test-keys, wherever x-custom-jwt runs", () => {
		const keys = configsOf("x-custom-jwt", "private_jwk");
		expect(keys.length).toBeGreaterThan(0);
		const key = JSON.parse(testKey("RS256-jwk-private.json"));
		expect(keys).toEqual(keys.map(() => key));
	});

	test("the JWK Set of test-keys, as the one that is published", () => {
		expect(configsOf("request-termination", "body")).toEqual([
			JSON.parse(testKey("RS256-jwks-public.json")),
		]);
	});

	test("the public keys of test-keys, as those that verify clients' tokens", () => {
		const keys = jwtSecrets.map(({ key, rsa_public_key }) => [
			key,
			rsa_public_key,
		]);
		expect(keys).toEqual([
			["http://httpbin:9000/idp", testKey("idp-public.pem")],
			["partner-hs", undefined],
			["my-user", testKey("RS256-public.pem")],
		]);
	});

	test("the CA of test-keys, as the one that client certificates need", () => {
		expect([...caCertificates.values()]).toEqual([testKey("client-ca.pem")]);
	});
});
