/** What the container images and the Helm values tell Kong: that its commands run, and that Kubernetes takes the rest. */

import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { version } from "../../package.json";
import { isListening } from "../../pluginserver/socket";
import { packageRoot } from "../../schema/package-root";
import { validateManifest } from "../support/manifests";
import { runServer, temporaryFolder, until } from "../support/server";

const read = (path: string) => readFileSync(join(packageRoot(), path), "utf8");

const DOCKERFILE = read("Dockerfile");
const VALUES = parse(read("deploy/kubernetes/values.yaml"));
const COMPOSE = parse(read("docker-compose.yml"));
const KONNECT = parse(read("docker-compose.konnect.yml"));
const UNMODIFIED_COMPOSE = parse(read("docker-compose.unmodified.yml"));
const UNMODIFIED_VALUES = parse(
	read("deploy/kubernetes/values-unmodified.yaml"),
);

const [NODE = "", BUNDLE = ""] = dedicatedServer();

/** Has SIGUSR1 open no debugger; the Node.js of this machine may be too old for it, that of the images is not. */
const NO_DEBUGGER = "--disable-sigusr1";
const FLAG_HERE = process.allowedNodeEnvironmentFlags.has(NO_DEBUGGER)
	? [NO_DEBUGGER]
	: [];

type Values = typeof VALUES;

/** Values on top of others, as Helm has them: maps are merged, a null takes a value away. */
function onTop(below: Values, above: Values): Values {
	if (!isMap(below) || !isMap(above)) return above;
	const merged = { ...below };
	for (const [name, value] of Object.entries(above)) {
		if (value === null) delete merged[name];
		else merged[name] = onTop(below[name] ?? {}, value);
	}
	return merged;
}

const isMap = (value: unknown) =>
	typeof value === "object" && value !== null && !Array.isArray(value);

/** The chart's own readiness probe (its values.yaml), which is there under ours. */
const CHART = { readinessProbe: { httpGet: { path: "/status/ready" } } };

const MERGED = onTop(CHART, VALUES);
const MERGED_UNMODIFIED = onTop(MERGED, UNMODIFIED_VALUES);

const IMAGE_FILES = [
	"/usr/local/bin/node",
	"/opt/x-custom-jwt-pluginserver.js",
];
const dockerVariable = (name: string) =>
	new RegExp(`${name}="?([^"\\\\\n]*[^"\\\\\\s])`).exec(DOCKERFILE)?.[1] ?? "";
const helmVariable = (values: Values) => (name: string) =>
	String(values.env[name.replace("KONG_", "").toLowerCase()]);

/** Where Kong is told to run the plugin server, with what, and how it is asked whether it is ready. */
const PLACES = [
	{
		file: "docker-compose.yml, docker-compose.konnect.yml on Dockerfile",
		variable: dockerVariable,
		files: IMAGE_FILES,
		probes: [COMPOSE, KONNECT].map(
			({ services }) => services.kong.healthcheck.test.slice(1) as string[],
		),
		statusPort: 8007,
	},
	{
		file: "docker-compose.unmodified.yml",
		variable: (name: string) =>
			String(UNMODIFIED_COMPOSE.services.kong.environment[name]),
		files: ["/opt/nodejs/node", "/opt/x-custom-jwt-pluginserver.js"],
		probes: [
			UNMODIFIED_COMPOSE.services.kong.healthcheck.test.slice(1) as string[],
		],
		statusPort: 8007,
	},
	{
		file: "deploy/kubernetes/values.yaml",
		variable: helmVariable(MERGED),
		files: IMAGE_FILES,
		probes: [MERGED.readinessProbe.exec.command as string[]],
		statusPort: 8100,
	},
	{
		file: "deploy/kubernetes/values-unmodified.yaml",
		variable: helmVariable(MERGED_UNMODIFIED),
		files: [
			"/opt/nodejs/node",
			"/opt/x-custom-jwt/x-custom-jwt-pluginserver.js",
		],
		probes: [MERGED_UNMODIFIED.readinessProbe.exec.command as string[]],
		statusPort: 8100,
	},
];

describe.each(PLACES)("$file", ({ variable, files, probes, statusPort }) => {
	const PLUGIN_SERVER = "KONG_PLUGINSERVER_X_CUSTOM_JWT";

	/** A command of Kong's configuration or of a probe, with the paths of this machine. */
	function commandHere([program, file, ...args]: string[]): string[] {
		expect([program, file]).toEqual(files);
		return [NODE, BUNDLE, ...args];
	}
	const kongsCommand = (name: string) =>
		commandHere(variable(`${PLUGIN_SERVER}_${name}`).split(" "));

	/** Starts the plugin server as Kong does, but in a folder of this machine. */
	async function start() {
		const [node = "", flag, ...rest] = variable(
			`${PLUGIN_SERVER}_START_CMD`,
		).split(" ");
		expect(flag).toBe(NO_DEBUGGER);
		const [program = "", ...args] = commandHere([node, ...rest]);
		const command = [program, ...FLAG_HERE, ...args];
		const socket = command.indexOf("--socket");
		expect(command[socket + 1]).toBe(variable(`${PLUGIN_SERVER}_SOCKET`));
		const server = runServer(command.toSpliced(socket, 2));
		await until("it listens", () => isListening(server.socketPath));
		return server;
	}

	test("enables the plugin and its plugin server", () => {
		expect(variable("KONG_PLUGINS")).toBe("bundled,x-custom-jwt");
		expect(variable("KONG_PLUGINSERVER_NAMES")).toBe("x_custom_jwt");
	});

	test("has a query command that prints the plugin", async () => {
		const [program = "", ...args] = kongsCommand("QUERY_CMD");
		const { stdout } = await promisify(execFile)(program, args);
		expect(JSON.parse(stdout)).toMatchObject({
			Protocol: "ProtoBuf:1",
			Plugins: [{ Name: "x-custom-jwt" }],
		});
	});

	test("has a start command that listens where Kong looks for it", async () => {
		const server = await start();
		await server.kill();
	});

	test("is ready when the plugin server answers on that socket, and Kong is", async () => {
		const server = await start();
		const status = createServer((_, response) => response.end());
		await new Promise<void>((resolve) => status.listen(0, resolve));
		// A failed test is not to wait for it.
		status.unref();
		const { port } = status.address() as AddressInfo;
		const here = (argument: string) =>
			argument
				.replace(variable(`${PLUGIN_SERVER}_SOCKET`), server.socketPath)
				.replace(
					`http://127.0.0.1:${statusPort}/status/ready`,
					`http://127.0.0.1:${port}/status/ready`,
				);
		const ask = async (probe: string[]) => {
			const [program = "", ...args] = commandHere(probe).map(here);
			expect(args.slice(1)).toEqual([
				"--socket",
				server.socketPath,
				"--health",
				`http://127.0.0.1:${port}/status/ready`,
			]);
			return promisify(execFile)(program, args);
		};
		for (const probe of probes) await ask(probe);
		await server.kill();
		for (const probe of probes)
			await expect(ask(probe)).rejects.toMatchObject({ code: 1 });
		status.close();
	});
});

describe("Kong's own image, unmodified,", () => {
	const { services } = UNMODIFIED_COMPOSE;

	test("gets Node.js and one file from the compose file, and a root that is read-only", () => {
		expect(services.kong).not.toHaveProperty("build");
		expect(services.kong.volumes).toEqual(
			expect.arrayContaining([
				"nodejs:/opt/nodejs:ro",
				"./dist/x-custom-jwt-pluginserver.js:/opt/x-custom-jwt-pluginserver.js:ro",
			]),
		);
		expect(services.nodejs).toMatchObject({
			volumes: ["nodejs:/opt/nodejs"],
			command: ["cp", "/usr/local/bin/node", "/opt/nodejs/node"],
		});
		expect(services.kong.read_only).toBe(true);
		expect(services.kong.tmpfs).toContain(
			services.kong.environment.KONG_PREFIX,
		);
	});

	test("runs kong.yml as the other compose file does", () => {
		const { environment, ports } = COMPOSE.services.kong;
		expect(services.kong.environment).toMatchObject(environment);
		expect(services.kong.ports).toEqual(ports);
		expect(services.kong.volumes).toEqual(
			expect.arrayContaining(COMPOSE.services.kong.volumes),
		);
	});

	test("gets both on Kubernetes by an init container and a ConfigMap of this version", () => {
		const { deployment } = UNMODIFIED_VALUES;
		const [nodejs] = deployment.initContainers;
		expect(nodejs.command).toEqual([
			"cp",
			"/usr/local/bin/node",
			"/opt/nodejs/node",
		]);
		expect(deployment.userDefinedVolumes).toEqual([
			{ name: "nodejs", emptyDir: { sizeLimit: "256Mi" } },
			{ name: "x-custom-jwt", configMap: { name: `x-custom-jwt-${version}` } },
		]);
		expect(deployment.userDefinedVolumeMounts).toEqual([
			{ name: "nodejs", mountPath: "/opt/nodejs", readOnly: true },
			{ name: "x-custom-jwt", mountPath: "/opt/x-custom-jwt", readOnly: true },
		]);
	});

	test("has a file for it that a ConfigMap takes: text of at most 1 MiB with its name (Kubernetes: ValidateConfigMap)", () => {
		const bytes = readFileSync(BUNDLE);
		const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
		const name = "x-custom-jwt-pluginserver.js";
		expect(name.length + bytes.length).toBeLessThanOrEqual(1024 * 1024);
		expect(() =>
			validateManifest({
				apiVersion: "v1",
				kind: "ConfigMap",
				metadata: { name: `x-custom-jwt-${version}` },
				data: { [name]: text },
			}),
		).not.toThrow();
	});
});

describe.each([
	["docker-compose.yml", COMPOSE],
	["docker-compose.konnect.yml", KONNECT],
	["docker-compose.unmodified.yml", UNMODIFIED_COMPOSE],
])("%s", (_, { services }) => {
	test("gives Kong the time that a graceful stop takes while it runs a plugin server", () => {
		const [, seconds] = /^(\d+)s$/.exec(services.kong.stop_grace_period) ?? [];
		expect(Number(seconds)).toBeGreaterThan(10.5);
	});

	test("finds the sample backend on a network without DNS", () => {
		const order = services.kong.environment.KONG_DNS_ORDER;
		expect(order).toBe(services.httpbin ? "A" : undefined);
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
	/** Name and version of each image: those of the Dockerfile, and Kong Enterprise. */
	const images = new Map<string, string>([
		...[...DOCKERFILE.matchAll(/^ARG \w+_IMAGE=([\w/-]+):([^\s@]+)/gm)].map(
			([, name = "", version = ""]): [string, string] => [name, version],
		),
		[UNMODIFIED_VALUES.image.repository, UNMODIFIED_VALUES.image.tag],
	]);

	test("are exact", () => {
		expect([...images.keys()].sort()).toEqual([
			"kong",
			"kong/kong-gateway",
			"node",
		]);
		for (const version of images.values())
			expect(version).toMatch(/^\d+\.\d+\.\d+(\.\d+)?-/);
	});

	test("are the same wherever an image is named", () => {
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

	test("are those that the compose files build on, and that the chart knows", () => {
		for (const { services } of [COMPOSE, KONNECT]) {
			const { KONG_IMAGE } = services.kong.build.args;
			const [, name = "", version] =
				/^\$\{KONG_IMAGE:-([^:]+):(.+)\}$/.exec(KONG_IMAGE) ?? [];
			expect(images.get(name)).toBe(version);
		}
		expect(images.get("kong/kong-gateway")).toMatch(
			new RegExp(`^${VALUES.image.effectiveSemver}\\.`),
		);
	});

	test("are no stages of the Dockerfile, which podman and buildah take for images to pull", () => {
		const stages = [...DOCKERFILE.matchAll(/^FROM .* AS (\S+)$/gm)].map(
			([, stage]) => stage,
		);
		const defaults = [...DOCKERFILE.matchAll(/^ARG \w+_IMAGE=(.*)$/gm)].map(
			([, value]) => value,
		);
		for (const name of defaults) expect(stages).not.toContain(name);
	});

	test("build with Docker's classic builder, which does not set BUILDPLATFORM", () => {
		const platforms = DOCKERFILE.match(/--platform=\S+/g) ?? [];
		for (const flag of platforms)
			expect(flag).toMatch(/^--platform=\$\{BUILDPLATFORM:-linux\}$/);
	});
});

describe("the Helm values", () => {
	test("have more than one replica, without which the chart refuses a disruption budget", () => {
		expect(VALUES.podDisruptionBudget.enabled).toBe(true);
		expect(VALUES.autoscaling.minReplicas).toBeGreaterThan(1);
	});

	test("have one readiness probe, the chart's own being taken away", () => {
		expect(Object.keys(CHART.readinessProbe)).toEqual(["httpGet"]);
		expect(MERGED.readinessProbe).not.toHaveProperty("httpGet");
		expect(MERGED_UNMODIFIED.readinessProbe).not.toHaveProperty("httpGet");
	});

	test("take the private key from a Secret and hold no key", () => {
		expect(VALUES.customEnv.x_custom_jwt_private_jwk).toEqual({
			valueFrom: { secretKeyRef: { name: "x-custom-jwt", key: "private-jwk" } },
		});
		expect(JSON.stringify(VALUES)).not.toMatch(/kty|BEGIN/);
	});

	test("keep the root file system read-only, and the socket out of the volumes that every user can write to", () => {
		expect(VALUES.containerSecurityContext.readOnlyRootFilesystem).toBe(true);
		expect(VALUES.env.pluginserver_x_custom_jwt_socket).toBe(
			"/dev/shm/x_custom_jwt/socket",
		);
	});
});
