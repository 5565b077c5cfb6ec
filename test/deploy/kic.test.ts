/** The examples for the ingress controller and the operator: what Kubernetes, the controller and the plugin make of them. */
import {
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { version } from "../../package.json";
import { prepare } from "../../plugins/x-custom-jwt/config";
import { packageRoot } from "../../schema/package-root";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import { definitionsOf, validateObject } from "../support/custom-resources";
import { type Manifest, validateManifest } from "../support/manifests";

const FOLDER = join(packageRoot(), "deploy/kubernetes");
const KIC = join(FOLDER, "kic");

const textOf = (file: string) => readFileSync(join(KIC, file), "utf8");
const objectsIn = (file: string) =>
	parseAllDocuments(textOf(file)).map((document) => document.toJS());

const PLUGINS = ["plugin.yaml", "plugin-secret.yaml", "cluster-plugin.yaml"];
const FILES = [...PLUGINS, "orders.yaml", "jwks.yaml"];

/** The private JWK as a text, which is what the plugin takes. */
const JWK = `${JSON.stringify(privateJwk)}\n`;

interface Patch {
	path: string;
}

/** The configuration that the controller makes of an object: it reads what is in the Secret as the JSON of a JSON Patch. */
function configOf(object: Manifest, inSecret: string) {
	const config = structuredClone(object.config) as Record<string, unknown>;
	for (const { path } of (object.configPatches ?? []) as Patch[])
		config[path.slice(1)] = JSON.parse(inSecret);
	return config;
}

/** What the plugin says of a configuration, whose vault reference Kong has resolved. */
function faultsOf({ private_jwk, ...config }: Record<string, unknown>) {
	const isReference = private_jwk === "{vault://env/x-custom-jwt-private-jwk}";
	const key = isReference ? JWK : private_jwk;
	return prepare({ ...config, private_jwk: key }).faults.map(
		({ message }) => message,
	);
}

test("there are no other files", () => {
	expect(readdirSync(KIC).sort()).toEqual(
		[...FILES, "README.md", "dataplane.yaml", "values.yaml"].sort(),
	);
});

test.each(FILES)(
	"%s holds no key, and what is Kubernetes' own in it fits its schema",
	(file) => {
		for (const object of objectsIn(file))
			if (!object.apiVersion.startsWith("configuration.konghq.com"))
				expect(() => validateManifest(object)).not.toThrow();
		expect(textOf(file)).not.toMatch(/"kty"|"d"|BEGIN/);
	},
);

test("objects are checked by a folder of definitions, their rules included", () => {
	const folder = mkdtempSync(join(tmpdir(), "x-custom-jwt-"));
	const rule = "Using both config and configFrom fields is not allowed.";
	const object = { type: "object" };
	const config = { ...object, "x-kubernetes-preserve-unknown-fields": true };
	const text = { type: "string" };
	const properties = {
		apiVersion: text,
		kind: text,
		config,
		configFrom: object,
	};
	const openAPIV3Schema = {
		...object,
		properties,
		"x-kubernetes-validations": [{ message: rule }],
	};
	const spec = {
		group: "configuration.konghq.com",
		names: { kind: "KongPlugin" },
		versions: [{ name: "v1", schema: { openAPIV3Schema } }],
	};
	writeFileSync(
		join(folder, "definition.yaml"),
		stringify({ kind: "CustomResourceDefinition", spec }),
	);
	const definitions = definitionsOf(folder);
	rmSync(folder, { recursive: true });
	const type = {
		apiVersion: "configuration.konghq.com/v1",
		kind: "KongPlugin",
	};
	const check = (members: object) => () =>
		validateObject({ ...type, ...members }, definitions);
	expect(check({ config: { iss: "x" } })).not.toThrow();
	expect(check({ config: {}, configFrom: {} })).toThrow(`KongPlugin: ${rule}`);
	expect(check({ confg: {} })).toThrow("KongPlugin: ");
});

describe.each(PLUGINS)("%s", (file) => {
	const [object] = objectsIn(file);

	test("is a configuration that the plugin takes, of a Secret that holds a JSON string", () => {
		expect(faultsOf(configOf(object, JSON.stringify(JWK)))).toEqual([]);
	});

	test("says who the token is for: the controller's host is no audience", () => {
		expect(object.config.audience).toHaveLength(1);
	});
});

test("a Secret that holds the JWK as it is gives Kong an object, which is refused", () => {
	const [object] = objectsIn("plugin-secret.yaml");
	const config = configOf(object, JWK);
	expect(config.private_jwk).toEqual(privateJwk);
	expect(faultsOf(config)).toEqual([
		expect.stringContaining("config/private_jwk must be string"),
	]);
});

test("plugin.yaml and plugin-secret.yaml are one object but for the key", () => {
	const [byReference] = objectsIn("plugin.yaml");
	const [bySecret] = objectsIn("plugin-secret.yaml");
	const { private_jwk: _, ...config } = byReference.config;
	const { configPatches: __, ...object } = bySecret;
	expect({ ...byReference, config }).toEqual(object);
});

test("the API key is kept from the backend, in Kong before 3.14 too", () => {
	const [keyAuth] = objectsIn("orders.yaml");
	expect(keyAuth).toMatchObject({
		plugin: "key-auth",
		config: { hide_credentials: true },
	});
});

test("routes name plugins that are there", () => {
	const objects = FILES.flatMap(objectsIn);
	const names = objects
		.filter(({ plugin }) => plugin)
		.map(({ metadata }) => metadata.name);
	const used = objects.flatMap(({ kind, metadata }) =>
		kind === "Ingress" ? metadata.annotations["konghq.com/plugins"] : [],
	);
	expect(used).toHaveLength(2);
	expect(names).toEqual(expect.arrayContaining(used.join(", ").split(", ")));
});

test("the JWKS route answers by itself, across origins, on a Service without other plugins", () => {
	const [termination, cors, service, ingress] = objectsIn("jwks.yaml");
	expect(termination).toMatchObject({
		plugin: "request-termination",
		config: { status_code: 200, content_type: "application/json" },
	});
	expect(cors).toMatchObject({ plugin: "cors", config: { origins: ["*"] } });
	expect(service.metadata).toEqual({ name: "x-custom-jwt-jwks" });
	expect(service.spec).toMatchObject({
		type: "ExternalName",
		externalName: expect.stringMatching(/\.invalid$/),
	});
	const [{ http }] = ingress.spec.rules;
	expect(http.paths).toEqual([
		expect.objectContaining({
			path: "/x-custom-jwt/jwks",
			pathType: "Exact",
			backend: {
				service: { name: service.metadata.name, port: { number: 80 } },
			},
		}),
	]);
});

test("applying jwks.yaml again keeps the JWK Set: it is in a Secret, which the file does not have", () => {
	const objects = objectsIn("jwks.yaml");
	const [termination] = objects;
	expect(termination.config).not.toHaveProperty("body");
	expect(termination.configPatches).toEqual([
		{
			path: "/body",
			valueFrom: {
				secretKeyRef: { name: "x-custom-jwt-jwks", key: "public-jwks" },
			},
		},
	]);
	expect(objects.map(({ kind }) => kind)).not.toContain("Secret");
	const set = `${JSON.stringify({ keys: [] })}\n`;
	expect(configOf(termination, JSON.stringify(set)).body).toBe(set);
});

test("no API key gets into a token: the plugin objects take client_id from the consumer", () => {
	for (const file of PLUGINS)
		for (const { config } of objectsIn(file))
			expect(config.set_claims.client_id).toBe("$(consumer.username)");
});

describe("gateways", () => {
	const values = parse(readFileSync(join(FOLDER, "values.yaml"), "utf8"));

	/** The container that runs the plugin server, and what Kong is told of it. */
	interface Sidecar {
		image: string;
		restartPolicy: string;
		command: string[];
	}
	// The containers of a pod share this folder; it is sticky, which an emptyDir is not.
	const SOCKET = "/dev/shm/x-custom-jwt/socket";
	const PROBE = [
		"/usr/local/bin/node",
		"/opt/x-custom-jwt-pluginserver.js",
		"--socket",
		SOCKET,
		"--health",
	];
	const SIDECAR = {
		image: `${values.image.repository}:${version}`,
		// A native sidecar, which ends after Kong: no request in Kong's last seconds gets 500.
		restartPolicy: "Always",
		command: [
			"/usr/local/bin/node",
			"--disable-sigusr1",
			"/opt/x-custom-jwt-pluginserver.js",
			"--socket",
			SOCKET,
		],
	};

	test("of the chart kong/ingress have the image and the key of those of kong/kong", () => {
		const { gateway } = parse(textOf("values.yaml"));
		const { effectiveSemver, ...image } = gateway.image;
		expect(values).toMatchObject({ image, customEnv: gateway.customEnv });
		// It is built on open-source Kong.
		const dockerfile = readFileSync(join(packageRoot(), "Dockerfile"), "utf8");
		expect(dockerfile).toContain(`=kong:${effectiveSemver}-`);
	});

	test("of the chart kong/ingress run the plugin server beside Kong, whose GET / the controller reads", () => {
		const { env, deployment, readinessProbe } = parse(
			textOf("values.yaml"),
		).gateway;
		expect(env).toMatchObject({
			plugins: values.env.plugins,
			pluginserver_names: "sidecar",
			pluginserver_sidecar_socket: SOCKET,
			pluginserver_sidecar_query_cmd:
				values.env.pluginserver_x_custom_jwt_query_cmd,
		});
		expect(Object.keys(env).join()).not.toContain("start_cmd");
		expect(deployment).not.toHaveProperty("sidecarContainers");
		const [sidecar]: Sidecar[] = deployment.initContainers;
		expect(sidecar).toMatchObject(SIDECAR);
		const { command } = readinessProbe.exec;
		expect(command.slice(0, 5)).toEqual(PROBE);
	});

	test("of the operator have the same", () => {
		const [{ spec }] = objectsIn("dataplane.yaml");
		const { containers, initContainers } = spec.deployment.podTemplateSpec.spec;
		const [[proxy], [sidecar]] = [containers, initContainers];
		expect(proxy.image).toBe(SIDECAR.image);
		expect(sidecar).toMatchObject(SIDECAR);
		expect(proxy.startupProbe.exec.command).toEqual(PROBE);
		expect(proxy.env).toContainEqual({
			name: "KONG_PLUGINSERVER_SIDECAR_SOCKET",
			value: SOCKET,
		});
		expect(proxy.env).toContainEqual({
			name: "X_CUSTOM_JWT_PRIVATE_JWK",
			...values.customEnv.x_custom_jwt_private_jwk,
		});
	});
});
