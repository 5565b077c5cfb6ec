/** What the container image and the Helm values tell Kong: that its commands run, and that Kubernetes takes the rest. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { version } from "../../package.json";
import { isListening } from "../../pluginserver/socket";
import { packageRoot } from "../../schema/package-root";
import { type Manifest, validateManifest } from "../support/manifests";
import {
	dedicatedServer,
	runServer,
	temporaryFolder,
	until,
} from "../support/server";

const read = (path: string) => readFileSync(join(packageRoot(), path), "utf8");

const DOCKERFILE = read("Dockerfile");
const VALUES = parse(read("deploy/kubernetes/values.yaml"));

const [NODE = "", BUNDLE = ""] = dedicatedServer();

/** A command of Kong's configuration, with the paths of this machine. */
function commandHere(command: string): string[] {
	const [program, file, ...args] = command.split(" ");
	expect([program, file]).toEqual([
		"/usr/local/bin/node",
		"/opt/x-custom-jwt-pluginserver.js",
	]);
	return [NODE, BUNDLE, ...args];
}

const dockerVariable = (name: string) =>
	new RegExp(`${name}="?([^"\\\\\n]*[^"\\\\\\s])`).exec(DOCKERFILE)?.[1] ?? "";
const helmVariable = (name: string) =>
	String(VALUES.env[name.replace("KONG_", "").toLowerCase()]);

describe.each([
	{ file: "Dockerfile", variable: dockerVariable },
	{ file: "deploy/kubernetes/values.yaml", variable: helmVariable },
])("$file", ({ variable }) => {
	const PLUGIN_SERVER = "KONG_PLUGINSERVER_X_CUSTOM_JWT";

	test("enables the plugin and its plugin server", () => {
		expect(variable("KONG_PLUGINS")).toBe("bundled,x-custom-jwt");
		expect(variable("KONG_PLUGINSERVER_NAMES")).toBe("x_custom_jwt");
	});

	test("has a query command that prints the plugin", async () => {
		const [program = "", ...args] = commandHere(
			variable(`${PLUGIN_SERVER}_QUERY_CMD`),
		);
		const { stdout } = await promisify(execFile)(program, args);
		expect(JSON.parse(stdout)).toMatchObject({
			Protocol: "ProtoBuf:1",
			Plugins: [{ Name: "x-custom-jwt" }],
		});
	});

	test("has a start command that listens where Kong looks for it", async () => {
		const command = commandHere(variable(`${PLUGIN_SERVER}_START_CMD`));
		const socket = command.indexOf("--socket");
		expect(command[socket + 1]).toBe(variable(`${PLUGIN_SERVER}_SOCKET`));
		// The socket's folder is not there on this machine: the server is told another one.
		const server = runServer(command.toSpliced(socket, 2));
		await until("it listens", () => isListening(server.socketPath));
		await server.kill();
	});
});

test("the image and the Helm values say this version", () => {
	expect(DOCKERFILE).toContain(`ARG VERSION=${version}\n`);
	expect(VALUES.image.tag).toBe(version);
});

test("the image is Kong's with three files more and no build tools, and runs as kong", () => {
	const [, kong = ""] = DOCKERFILE.split(/^FROM .* AS kong$/m);
	expect(kong.match(/^(COPY|ADD|RUN|USER) .*$/gm)).toEqual([
		expect.stringMatching(/^COPY .* \/usr\/local\/bin\/node$/),
		expect.stringMatching(/^COPY .*LICENSE$/),
		expect.stringMatching(/^COPY .*\.js$/),
		expect.stringMatching(/^RUN \[/),
		"USER kong",
	]);
});

describe("the check of the image", () => {
	const [, run = "[]"] = /^RUN (\[.*\])$/m.exec(DOCKERFILE) ?? [];
	const [program, ...args] = JSON.parse(run);

	/** Runs it here, with Kong's folder of definitions at another place. */
	function check(definitions: string) {
		expect(program).toBe("/usr/local/bin/node");
		return spawnSync(
			process.execPath,
			args.map((arg: string) =>
				arg.replace("/usr/local/kong/include", definitions),
			),
		).status;
	}

	test("fails where Kong's definitions of ProtoBuf are missing", () => {
		const folder = temporaryFolder();
		expect(check(folder)).toBe(1);
		mkdirSync(join(folder, "google/protobuf"), { recursive: true });
		for (const name of ["descriptor", "empty"])
			writeFileSync(join(folder, `google/protobuf/${name}.proto`), "");
		expect(check(folder)).toBe(1);
		writeFileSync(join(folder, "google/protobuf/struct.proto"), "");
		expect(check(folder)).toBe(0);
	});
});

describe("versions of images", () => {
	/** Name and version of each image, as the Dockerfile has them. */
	const images = new Map(
		[...DOCKERFILE.matchAll(/^ARG \w+_IMAGE=([\w/-]+):([^\s@]+)/gm)].map(
			([, name = "", version = ""]) => [name, version],
		),
	);

	test("are exact", () => {
		expect([...images.keys()].sort()).toEqual([
			"kong",
			"kong/kong-gateway",
			"node",
		]);
		for (const version of images.values())
			expect(version).toMatch(/^\d+\.\d+\.\d+(\.\d+)?-/);
	});

	test("are the Dockerfile's wherever an image is named", () => {
		const files = execFileSync("git", ["ls-files"], { cwd: packageRoot() })
			.toString()
			.trim()
			.split("\n")
			.filter((file) => /\.(ya?ml|md|sh)$|^\.ci\/|^Dockerfile$/.test(file));
		const named = files.flatMap((file) =>
			[
				...read(file).matchAll(
					/(?<![\w./-])(kong|kong\/kong-gateway|node):(\d+\.[\w.-]+)/g,
				),
			].map(([, name = "", version]) => ({ file, name, version })),
		);
		expect(named.length).toBeGreaterThanOrEqual(images.size);
		expect(
			named.filter(({ name, version }) => images.get(name) !== version),
		).toEqual([]);
	});

	test("are what the compose files build on, and what the chart is told", () => {
		const stages = [...DOCKERFILE.matchAll(/^FROM .* AS (\S+)$/gm)].map(
			([, stage]) => stage,
		);
		for (const file of ["docker-compose.yml", "docker-compose.konnect.yml"]) {
			const { KONG_IMAGE } = parse(read(file)).services.kong.build.args;
			const [, stage] = /^\$\{KONG_IMAGE:-(.+)\}$/.exec(KONG_IMAGE) ?? [];
			expect(stages).toContain(stage);
		}
		expect(images.get("kong/kong-gateway")).toMatch(
			new RegExp(`^${VALUES.image.effectiveSemver}\\.`),
		);
	});
});

describe("deploy/kubernetes/values.yaml", () => {
	const name = "kong";
	const labels = { app: name };

	/** The Deployment, as the chart makes it of the values. */
	const deployment = (values: typeof VALUES): Manifest => ({
		apiVersion: "apps/v1",
		kind: "Deployment",
		metadata: { name },
		spec: {
			selector: { matchLabels: labels },
			template: {
				metadata: { labels },
				spec: {
					terminationGracePeriodSeconds: values.terminationGracePeriodSeconds,
					initContainers: [{ name, resources: values.initContainerResources }],
					containers: [
						{
							name,
							image: `${values.image.repository}:${values.image.tag}`,
							env: [
								...Object.entries(values.env).map(([name, value]) => ({
									name: `KONG_${name.toUpperCase()}`,
									value,
								})),
								...Object.entries<object | string>(values.customEnv).map(
									([name, value]) => ({
										name: name.toUpperCase(),
										...(typeof value === "object" ? value : { value }),
									}),
								),
							],
							resources: values.resources,
							readinessProbe: values.readinessProbe,
							livenessProbe: values.livenessProbe,
							securityContext: values.containerSecurityContext,
						},
					],
				},
			},
		},
	});
	const autoscaler = ({ autoscaling }: typeof VALUES): Manifest => {
		const { enabled, ...spec } = autoscaling;
		expect(enabled).toBe(true);
		return {
			apiVersion: "autoscaling/v2",
			kind: "HorizontalPodAutoscaler",
			metadata: { name },
			spec: { scaleTargetRef: { kind: "Deployment", name }, ...spec },
		};
	};
	const budget = ({ podDisruptionBudget }: typeof VALUES): Manifest => {
		const { enabled, ...spec } = podDisruptionBudget;
		expect(enabled).toBe(true);
		return {
			apiVersion: "policy/v1",
			kind: "PodDisruptionBudget",
			metadata: { name },
			spec,
		};
	};

	test.each([
		{ manifest: deployment },
		{ manifest: autoscaler },
		{ manifest: budget },
	])("make a $manifest.name that fits Kubernetes' schema", ({ manifest }) => {
		expect(() => validateManifest(manifest(VALUES))).not.toThrow();
	});

	test("would not if a value had the wrong type", () => {
		const values = structuredClone(VALUES);
		values.readinessProbe.periodSeconds = "5s";
		values.autoscaling.maxReplicas = "ten";
		expect(() => validateManifest(deployment(values))).toThrow("periodSeconds");
		expect(() => validateManifest(autoscaler(values))).toThrow("maxReplicas");
	});

	test("take the private key from a Secret and hold no key", () => {
		expect(VALUES.customEnv.x_custom_jwt_private_jwk).toEqual({
			valueFrom: { secretKeyRef: { name: "x-custom-jwt", key: "private-jwk" } },
		});
		expect(JSON.stringify(VALUES)).not.toMatch(/kty|BEGIN/);
	});

	test("keep the root file system read-only, and the socket in Kong's prefix", () => {
		expect(VALUES.containerSecurityContext.readOnlyRootFilesystem).toBe(true);
		expect(VALUES.env.pluginserver_x_custom_jwt_socket).toMatch(
			/^\/kong_prefix\//,
		);
	});
});
