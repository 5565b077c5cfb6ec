/**
 * What does a plugin server cost before its first request: the answer to Kong's query command, memory, and the
 * start of many instances?
 */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { testKey } from "../local/demo/flows";
import { LoadedServer, SERVERS } from "./load";
import { cpuMicroseconds } from "./proc";
import { amount, report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

const NAMES = ["stock", "dedicated", "executable"] as const;

const LABELS = {
	query: "query command, ms",
	socket: "to its socket, ms",
	memory: "idle memory, MB",
};

async function cost(name: (typeof NAMES)[number]) {
	const [program = "", ...args] = SERVERS[name];
	const started = performance.now();
	execFileSync(program, [...args, "--dump-all-plugins"]);
	const query = performance.now() - started;
	const socketStarted = performance.now();
	const server = await LoadedServer.start(name, 0);
	const socket = performance.now() - socketStarted;
	const { memory } = server;
	await server.stop();
	return { query, socket, memory };
}

const INSTANCES = amount(1000);

/** The fields of a plugin entry, of many: the nth. */
const CONTROL_PLANES: Record<string, (n: number) => Record<string, unknown>> = {
	"RS256, one key": () => ({ private_jwk: RS256 }),
	"ES256, one key": () => ({ private_jwk: ES256 }),
	"ES256, one key, `reuse_for`": () => ({ private_jwk: ES256, reuse_for: 60 }),
	"ES256, a key each": (n) => ({ private_jwk: keys[n] }),
};
const RS256 = testKey("RS256-jwk-private.json");
const ES256 = testKey("ES256-jwk-private.json");
const keys = Array.from({ length: INSTANCES }, () => {
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	return JSON.stringify(privateKey.export({ format: "jwk" }));
});

/** What the instances of a worker cost, as of a control plane with so many Services. */
async function costOfInstances(
	name: string,
): Promise<Record<"elapsed" | "cpu" | "memory", number>> {
	const configs = Array.from({ length: INSTANCES }, (_, n) => ({
		...CONTROL_PLANES[name]?.(n),
		service_id: `service ${n}`,
	}));
	const server = await LoadedServer.start("dedicated", 1);
	const { pid, memory } = server;
	const cpu = cpuMicroseconds(pid);
	const started = performance.now();
	for (const config of configs) await server.startInstance(config);
	const figures = {
		elapsed: performance.now() - started,
		cpu: (cpuMicroseconds(pid) - cpu) / 1000,
		memory: server.memory - memory,
	};
	await server.stop();
	return figures;
}

async function instances(): Promise<string> {
	const rounds = await inTurns(Object.keys(CONTROL_PLANES), costOfInstances);
	const rows = [...rounds].map(([name, figures]) => [
		name,
		...(["elapsed", "cpu", "memory"] as const).map((what) =>
			spread(figures.map((round) => round[what])),
		),
	]);
	const head = `${INSTANCES.toLocaleString("en")} instances`;
	return table([head, "ms", "CPU, ms", "memory, MB"], rows);
}

report("start", async () => {
	const rounds = await inTurns(NAMES, cost);
	const rows = (["query", "socket", "memory"] as const).map((what) => {
		const columns = NAMES.map((name) =>
			(rounds.get(name) ?? []).map((round) => round[what]),
		);
		const [stock = [], dedicated = [], executable = []] = columns;
		return [
			LABELS[what],
			...columns.map((figures) => spread(figures)),
			spread(ratios(dedicated, stock), 2),
			spread(ratios(executable, stock), 2),
		];
	});
	return [
		table(["", ...NAMES, "dedicated / stock", "executable / stock"], rows),
		await instances(),
	];
});
