/**
 * Starts the backends of this folder behind the local gateway and tries what docs/backends.md says of them:
 * `npm run backends [-- NAME…] [--cache-seconds N]`. A name is that of a folder or of a backend; without names all
 * whose tool chain is on this machine, and the others are named as skipped. What it builds goes to dist/backends.
 */
import {
	type ChildProcess,
	execFile,
	execFileSync,
	spawn,
	spawnSync,
} from "node:child_process";
import { once } from "node:events";
import {
	closeSync,
	cpSync,
	mkdirSync,
	openSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import type { JWK } from "jose";
import { stringify } from "yaml";
import { generateKey } from "../../jwk/generate";
import { publicHalf } from "../../jwk/public-half";
import { type Demo, startDemo } from "../../local/demo/demo";
import { loadDeclarative } from "../../local/gateway/entities";
import { stderrLog } from "../../local/gateway/log";
import { close, type Reply, send } from "../../local/http";
import { packageRoot } from "../../schema/package-root";
import { type CommandLine, FOLDER, TOOL_CHAINS } from "./examples";
import { forgeries, sign } from "./forgeries";

const ISSUER = "https://api.example.com/x-custom-jwt";
const API_KEY = "key-of-the-example";
const CLIENT_ID = "example";

/** Response header in which the gateway shows the token that the backend got. */
const SHOWN = "x-custom-jwt-shown";

/** Lifetime of tokens, and what a deployment takes, in seconds. */
const EXPIRES_IN = 3;
const MARGIN = 1;

const BUILT = join(packageRoot(), "dist/backends");
const KONG_YML = join(BUILT, "kong.yml");

/** Tokens that come at once in the test of unknown keys. */
const FLOOD = 100;

/** A backend that runs. */
interface Backend {
	name: string;
	/** Its base URL, and the URL of its Kong Service, which is the claim `aud`. */
	url: string;
	audience: string;
}

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: { "cache-seconds": { type: "string", default: "3" } },
});
const cacheSeconds = Number(values["cache-seconds"]);

const children: ChildProcess[] = [];
let failed = 0;

/** Prints whether something is as it should be. */
function check(backend: string, what: string, isSo: boolean, found = ""): void {
	if (!isSo) failed++;
	console.log(
		`${isSo ? "ok  " : "FAIL"} ${backend}: ${what}${found && ` (${found})`}`,
	);
}

/** Builds what was asked for, in a copy; what has no tool chain here is named. */
function build(): Map<string, { folder: string; start: CommandLine }> {
	const built = new Map<string, { folder: string; start: CommandLine }>();
	const known = Object.entries(TOOL_CHAINS).flatMap(([folder, { start }]) => [
		folder,
		...Object.keys(start),
	]);
	const unknown = positionals.find((name) => !known.includes(name));
	if (unknown)
		throw new Error(`no backend ${unknown}; there are ${known.join(", ")}`);
	for (const [chain, { version, install, start }] of Object.entries(
		TOOL_CHAINS,
	)) {
		const wanted = Object.entries(start).filter(
			([name]) =>
				positionals.length === 0 ||
				positionals.includes(name) ||
				positionals.includes(chain),
		);
		if (wanted.length === 0) continue;
		const [program, ...args] = version;
		if (spawnSync(program, args).status !== 0) {
			console.log(
				`== SKIPPED: ${wanted.map(([name]) => name).join(", ")}: no ${program} on this machine`,
			);
			continue;
		}
		const folder = join(BUILT, chain);
		cpSync(join(FOLDER, chain), folder, { recursive: true });
		for (const [program, ...args] of install)
			execFileSync(program, args, {
				cwd: folder,
				stdio: ["ignore", "ignore", "inherit"],
			});
		for (const [name, command] of wanted)
			built.set(name, { folder, start: command });
	}
	return built;
}

/** Starts a backend; what it prints goes into a file. */
function start(
	name: string,
	{ folder, start: [program, ...args] }: { folder: string; start: CommandLine },
	env: NodeJS.ProcessEnv,
): void {
	const log = openSync(join(BUILT, `${name}.log`), "w");
	children.push(
		spawn(program, args, {
			cwd: folder,
			env: { ...process.env, ...env },
			stdio: ["ignore", log, log],
		}),
	);
	closeSync(log);
}

/** Writes the configuration: a Service with the plugin for each backend, one key for all. */
function writeConfiguration(backends: Backend[], jwk: JWK): void {
	const routeThatAnswers = {
		name: "x-custom-jwt-jwks",
		paths: ["/x-custom-jwt/jwks"],
		plugins: [
			{
				name: "request-termination",
				config: {
					status_code: 200,
					content_type: "application/json",
					body: JSON.stringify({ keys: [publicHalf(jwk)] }),
				},
			},
		],
	};
	const services = backends.map(({ name, audience }) => ({
		name,
		url: audience,
		routes: [{ name, paths: [`/${name}`], plugins: [{ name: "key-auth" }] }],
		plugins: [
			{
				name: "x-custom-jwt",
				config: {
					iss: ISSUER,
					jku: `${ISSUER}/jwks`,
					private_jwk: JSON.stringify(jwk),
					expires_in: EXPIRES_IN,
					set_claims: { client_id: "$(consumer.username)" },
					downstream_custom_jwt_header: SHOWN,
				},
			},
		],
	}));
	const consumers = [
		{ username: CLIENT_ID, keyauth_credentials: [{ key: API_KEY }] },
	];
	writeFileSync(
		KONG_YML,
		stringify({
			_format_version: "3.0",
			services,
			routes: [routeThatAnswers],
			consumers,
		}),
		{ mode: 0o600 },
	);
}

/** The gateway's JWK Set under a URL for each backend, which counts how often it is fetched. */
interface PublishedSet {
	url(backend: string): string;
	fetches(backend: string): number;
	close(): Promise<void>;
}

async function publishSet({ gateway }: Demo): Promise<PublishedSet> {
	const fetches = new Map<string, number>();
	const server = createServer(async ({ url = "" }, response) => {
		fetches.set(url, (fetches.get(url) ?? 0) + 1);
		const reply = await send(`${gateway.httpUrl}/x-custom-jwt/jwks`);
		response.writeHead(reply.status, { "Content-Type": "application/json" });
		response.end(reply.body);
	}).listen(0, "localhost");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return {
		url: (backend) => `http://localhost:${port}/${backend}`,
		fetches: (backend) => fetches.get(`/${backend}`) ?? 0,
		close: () => close(server),
	};
}

/** Takes a step of a rotation with the command; it fails when the step is not allowed yet. */
async function rotate(step: string, ...more: string[]): Promise<void> {
	const command = join(packageRoot(), "dist/cli/x-custom-jwt.js");
	const args = [command, "keys", "rotate", step, "--config", KONG_YML, ...more];
	await promisify(execFile)(process.execPath, args);
}

/** Path for a new private key; one of an earlier run is removed. */
function newKeyFile(name: string): string {
	const path = join(BUILT, name);
	rmSync(path, { force: true });
	return path;
}

/** Delays of the steps that wait for backends. */
const DELAYS = [
	"--cache-max-age",
	String(cacheSeconds),
	"--margin",
	String(MARGIN),
];

async function main(): Promise<void> {
	mkdirSync(BUILT, { recursive: true });
	const examples = build();
	const ports = await freePorts(examples.size);
	const backends = [...examples.keys()].map(
		(name, i): Backend => ({
			name,
			url: `http://localhost:${ports[i]}`,
			audience: `http://${name}:8080`,
		}),
	);
	if (backends.length === 0) return;
	const jwk = await generateKey("ES256");
	writeConfiguration(backends, jwk);
	const demo = await startDemo({
		configuration: loadDeclarative([KONG_YML]),
		resolve: backends.map(({ name, url }) => [
			`${name}:8080`,
			url.replace("http://", ""),
		]),
		log: stderrLog("error"),
	});
	const published = await publishSet(demo);
	try {
		backends.forEach(({ name, audience, url }) => {
			const example = examples.get(name);
			if (example)
				start(name, example, {
					ISSUER,
					AUDIENCE: audience,
					JWKS_URL: published.url(name),
					JWKS_CACHE_SECONDS: String(cacheSeconds),
					PORT: new URL(url).port,
				});
		});
		await Promise.all(backends.map(listens));
		await tryTokens(backends, demo, jwk);
		await tryFlood(backends, demo, published);
		const second = await tryRotation(backends, demo, jwk);
		await tryTheft(backends, demo, second);
	} finally {
		await published.close();
		await demo.close();
	}
}

/** A good token is accepted, every other one refused, and nobody looks where a token says its key is. */
async function tryTokens(
	backends: Backend[],
	demo: Demo,
	jwk: JWK,
): Promise<void> {
	const foreignJwk = await generateKey("ES256");
	let lookedAt = 0;
	const foreign = createServer((_request, response) => {
		lookedAt++;
		response.setHeader("Content-Type", "application/json");
		response.end(JSON.stringify({ keys: [publicHalf(foreignJwk)] }));
	}).listen(0, "localhost");
	await once(foreign, "listening");
	const { port } = foreign.address() as AddressInfo;
	const foreignJku = `http://localhost:${port}/jwks`;
	for (const backend of backends) {
		const { name, audience } = backend;
		const reply = await throughGateway(backend, demo);
		const genuine = String(reply.headers[SHOWN]);
		check(
			name,
			"200 through the gateway",
			isAccepted(reply),
			reply.body.trim(),
		);
		check(
			name,
			"200 for the same token",
			isAccepted(await direct(backend, genuine)),
		);
		const claims = { iss: ISSUER, aud: audience, client_id: CLIENT_ID };
		const own = await direct(backend, await sign(jwk, claims));
		check(name, "200 for a token made as the forged ones are", isAccepted(own));
		const forged = await forgeries(genuine, {
			jwk,
			claims,
			foreignJku,
			foreignJwk,
		});
		const taken: string[] = [];
		for (const [what, token] of Object.entries(forged)) {
			const { status, headers } = await direct(backend, token);
			if (status !== 401 || !("www-authenticate" in headers))
				taken.push(`${what}: ${status}`);
		}
		const names = Object.keys(forged).join(", ");
		const isSafe = taken.length === 0;
		check(name, isSafe ? `401: ${names}` : "401", isSafe, taken.join(", "));
	}
	const [first, second] = backends;
	if (first && second) {
		const { headers } = await throughGateway(first, demo);
		const { status } = await direct(second, String(headers[SHOWN]));
		check(second.name, `401: the token for ${first.name}`, status === 401);
	}
	check(
		"all",
		"nobody fetched a token's jku",
		lookedAt === 0,
		`${lookedAt} times`,
	);
	await close(foreign);
}

/** Tokens of keys that nobody knows fetch the JWK Set no oftener than twice in a tenth of the time it is kept. */
async function tryFlood(
	backends: Backend[],
	demo: Demo,
	published: PublishedSet,
): Promise<void> {
	const strange = await generateKey("ES256");
	for (const backend of backends) {
		const { name, audience } = backend;
		const claims = { iss: ISSUER, aud: audience, client_id: CLIENT_ID };
		const before = published.fetches(name);
		const began = Date.now();
		const replies = await Promise.all(
			Array.from({ length: FLOOD }, async (_, i) =>
				direct(
					backend,
					await sign({ ...strange, kid: `strange-${i}` }, claims),
				),
			),
		);
		const pauses = (Date.now() - began) / (cacheSeconds * 100);
		const fetches = published.fetches(name) - before;
		check(
			name,
			`${FLOOD} tokens with a kid that is in no set: refused, and the set is fetched seldom`,
			replies.every(({ status }) => status === 401) &&
				fetches <= 2 + 2 * pauses,
			`${fetches} times`,
		);
		check(
			name,
			"200 after that",
			isAccepted(await throughGateway(backend, demo)),
		);
	}
}

/** A rotation in its three steps, under requests, fails none; the old key is refused afterwards. */
async function tryRotation(
	backends: Backend[],
	demo: Demo,
	old: JWK,
): Promise<JWK> {
	const newKey = newKeyFile("second-jwk.json");
	const bad = new Map<string, string>();
	let requests = 0;
	let running = true;
	const clients = backends.map(async (backend) => {
		while (running) {
			const reply = await throughGateway(backend, demo);
			requests++;
			if (!isAccepted(reply)) bad.set(backend.name, `${reply.status}`);
			// Few requests where a trial is long.
			await sleep(Math.max(100, cacheSeconds * 10));
		}
	});
	const deploy = () => demo.gateway.reload(loadDeclarative([KONG_YML]));
	try {
		await rotate("publish", "--private-out", newKey, ...DELAYS);
		deploy();
		await sleep((cacheSeconds + MARGIN + 1) * 1000);
		await rotate("activate", "--key", newKey, ...DELAYS);
		deploy();
		await sleep((EXPIRES_IN + MARGIN + 1) * 1000);
		await rotate("retire");
		deploy();
		await sleep((cacheSeconds + 1) * 1000);
	} finally {
		running = false;
		await Promise.all(clients);
	}
	console.log(`${requests} requests during the rotation`);
	for (const backend of backends) {
		const { name, audience } = backend;
		check(name, "200 all through a rotation", !bad.has(name), bad.get(name));
		const claims = { iss: ISSUER, aud: audience, client_id: CLIENT_ID };
		const { status } = await direct(backend, await sign(old, claims));
		check(name, "401: the retired key", status === 401, String(status));
	}
	return JSON.parse(readFileSync(newKey, "utf8"));
}

/** A stolen key is replaced at once: how long until the new one is accepted, and the stolen one is not. */
async function tryTheft(
	backends: Backend[],
	demo: Demo,
	stolen: JWK,
): Promise<void> {
	const newKey = newKeyFile("third-jwk.json");
	await rotate("publish", "--private-out", newKey);
	await rotate("activate", "--key", newKey, "--force");
	await rotate("retire", "--force");
	// So that every backend has just fetched the set that has the stolen key alone.
	await sleep(cacheSeconds * 1000);
	await Promise.all(backends.map((backend) => throughGateway(backend, demo)));
	demo.gateway.reload(loadDeclarative([KONG_YML]));
	const began = Date.now();
	const limit = (cacheSeconds * 1.1 + 2) * 1000;
	async function waits(
		isSo: () => Promise<boolean>,
	): Promise<number | undefined> {
		while (Date.now() - began < limit) {
			if (await isSo()) return (Date.now() - began) / 1000;
			await sleep(200);
		}
		return undefined;
	}
	await Promise.all(
		backends.map(async (backend) => {
			const { name, audience } = backend;
			const claims = { iss: ISSUER, aud: audience, client_id: CLIENT_ID };
			const [accepts, refuses] = await Promise.all([
				waits(async () => isAccepted(await throughGateway(backend, demo))),
				waits(async () => {
					const token = await sign(stolen, claims);
					return (await direct(backend, token)).status === 401;
				}),
			]);
			check(
				name,
				"accepts the key that replaces a stolen one",
				accepts !== undefined,
				`after ${accepts} s`,
			);
			check(
				name,
				"401: the stolen key",
				refuses !== undefined,
				`after ${refuses} s`,
			);
		}),
	);
}

function throughGateway({ name }: Backend, { gateway }: Demo): Promise<Reply> {
	return send(`${gateway.httpUrl}/${name}`, { headers: { apikey: API_KEY } });
}

function direct({ url }: Backend, token: string | undefined): Promise<Reply> {
	return send(`${url}/orders/1`, {
		headers: token === undefined ? {} : { "X-Custom-Jwt": token },
	});
}

function isAccepted({ status, body }: Reply): boolean {
	return status === 200 && JSON.parse(body).client_id === CLIENT_ID;
}

/** Waits until a backend answers. */
async function listens(backend: Backend): Promise<void> {
	for (let i = 0; i < 300; i++) {
		const reply = await direct(backend, undefined).catch(() => undefined);
		if (reply) return;
		await sleep(200);
	}
	throw new Error(
		`${backend.name} does not start; see dist/backends/${backend.name}.log`,
	);
}

/** TCP ports that are free now. */
async function freePorts(count: number): Promise<number[]> {
	const servers = Array.from({ length: count }, () =>
		createTcpServer().listen(0),
	);
	await Promise.all(servers.map((server) => once(server, "listening")));
	const ports = servers.map((server) => (server.address() as AddressInfo).port);
	await Promise.all(
		servers.map((server) => new Promise((done) => server.close(done))),
	);
	return ports;
}

main()
	.catch((error: Error) => {
		failed++;
		console.error(error.message);
	})
	.finally(() => {
		for (const child of children) child.kill();
		console.log(failed === 0 ? "all good" : `${failed} failed`);
		process.exitCode = failed === 0 ? 0 : 1;
	});
