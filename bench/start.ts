/** What does a plugin server cost before its first request: Kong's query command, memory, the start of many instances? */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { amount, inTurns, ratio, report, spread, table } from "./report";
import { cpuMicroseconds, LoadedServer, SERVERS, withKey } from "./servers";

const NAMES = ["stock", "dedicated", "executable"] as const;
const INSTANCES = amount(1000);

const milliseconds = async (action: () => unknown): Promise<number> => {
	const started = performance.now();
	await action();
	return performance.now() - started;
};

async function cost(name: (typeof NAMES)[number]): Promise<number[]> {
	const [program = "", ...args] = SERVERS[name];
	const query = await milliseconds(() =>
		execFileSync(program, [...args, "--dump-all-plugins"]),
	);
	let server: LoadedServer | undefined;
	const socket = await milliseconds(async () => {
		server = await LoadedServer.start(name);
	});
	const memory = server?.memory ?? Number.NaN;
	await server?.stop();
	return [query, socket, memory];
}

const keys = Array.from({ length: INSTANCES }, () => {
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	return JSON.stringify(privateKey.export({ format: "jwk" }));
});

/** The fields of the nth plugin entry of many. */
const CONTROL_PLANES: Record<string, (n: number) => object> = {
	"RS256, one key": () => withKey("RS256"),
	"ES256, one key": () => withKey("ES256"),
	"ES256, one key, `reuse_for`": () => withKey("ES256", { reuse_for: 60 }),
	"ES256, a key each": (n) => ({ private_jwk: keys[n] }),
};

/** What the instances of a control plane with so many Services cost. */
async function costOfInstances(name: string): Promise<number[]> {
	const server = await LoadedServer.start("dedicated");
	const { pid, memory } = server;
	const cpu = cpuMicroseconds(pid);
	const elapsed = await milliseconds(async () => {
		for (let n = 0; n < INSTANCES; n++)
			await server.startInstance({
				...CONTROL_PLANES[name]?.(n),
				service_id: `service ${n}`,
			});
	});
	const used = (cpuMicroseconds(pid) - cpu) / 1000;
	const figures = [elapsed, used, server.memory - memory];
	await server.stop();
	return figures;
}

const column = (rounds: number[][] | undefined, index: number) =>
	(rounds ?? []).map((figures) => figures[index] ?? Number.NaN);

report("start", async () => {
	const servers = await inTurns(NAMES, cost);
	const labels = ["query command, ms", "to its socket, ms", "idle memory, MB"];
	const costs = labels.map((label, index) => {
		const columns = servers.map((rounds) => column(rounds, index));
		const [stock = [], dedicated = [], executable = []] = columns;
		const ratios = [ratio(dedicated, stock), ratio(executable, stock)];
		return [label, ...columns.map((figures) => spread(figures)), ...ratios];
	});
	const planes = Object.keys(CONTROL_PLANES);
	const instances = await inTurns(planes, costOfInstances);
	return [
		table(["", ...NAMES, "dedicated / stock", "executable / stock"], costs),
		table(
			[
				`${INSTANCES.toLocaleString("en")} instances`,
				"ms",
				"CPU, ms",
				"memory, MB",
			],
			planes.map((name, index) => [
				name,
				...[0, 1, 2].map((what) => spread(column(instances[index], what))),
			]),
		),
	];
});
