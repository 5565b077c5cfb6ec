/**
 * How does the cost of a request on the dedicated plugin server grow: with connections, instances, callers, the size of
 * the token, and the RSA key?
 */
import { generateKeyPairSync } from "node:crypto";
import {
	amount,
	inTurns,
	ROUNDS,
	ratio,
	report,
	spread,
	table,
} from "./report";
import {
	LoadedServer,
	type Next,
	requestOf,
	withApiKey,
	withKey,
	withToken,
} from "./servers";

/** One size of what grows, on a server of its own. */
interface Step {
	size: number;
	server: LoadedServer;
	next: Next;
	connections?: number;
	limit?: { seconds?: number; requests?: number };
}

const ES256 = withKey("ES256");

/** A server with one instance. */
async function step(
	size: number,
	config: object,
	request = withApiKey,
): Promise<Step> {
	const server = await LoadedServer.start("dedicated");
	const instance = await server.startInstance(config);
	return { size, server, next: () => [instance, request] };
}

async function withConnections(connections: number): Promise<Step> {
	return { ...(await step(connections, ES256)), connections };
}

async function withInstances(size: number): Promise<Step> {
	const { server } = await step(size, ES256);
	const instances: number[] = [];
	while (instances.length < size)
		instances.push(await server.startInstance(ES256));
	let i = 0;
	return { size, server, next: () => [instances[i++ % size] ?? 0, withApiKey] };
}

/** Callers with a credential of their own each, one after the other, again and again. */
async function withCallers(size: number): Promise<Step> {
	const config = withKey("HS256", { reuse_for: 3600 });
	const { server, next } = await step(size, config);
	const [instance] = next();
	let i = 0;
	const another: Next = () => {
		const id = `${i++ % size}`;
		return [instance, requestOf({ id, key: `key of caller ${id}` })];
	};
	// So that the warm-up and all rounds together see all callers.
	const limit = { requests: Math.max(amount(10_000), size / (ROUNDS + 1)) };
	return { size, server, next: another, limit };
}

/** A caller whose own token has so many claims; the size is that of the token which the backend gets, in bytes. */
async function withClaims(kilobytes: number): Promise<Step> {
	const roles: string[] = [];
	while (JSON.stringify(roles).length < 1024 * kilobytes)
		roles.push(`orders:region-${roles.length}:read`);
	const request = withToken({ roles });
	const { server, next } = await step(0, ES256, request);
	await server.rpc.handleEvent(...next());
	return { size: request.header("x-custom-jwt")?.length ?? 0, server, next };
}

function withRsaKey(bits: number): Promise<Step> {
	const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
	const private_jwk = JSON.stringify(privateKey.export({ format: "jwk" }));
	return step(bits, { ...ES256, private_jwk });
}

const GROWN: Record<string, [(size: number) => Promise<Step>, number[]]> = {
	connections: [withConnections, [1, 8, 32, 128, 512]],
	"token, bytes": [withClaims, [0.5, 2, 8, 32]],
	instances: [withInstances, [1, 10, 1000]],
	callers: [withCallers, [1, 10_000, amount(1_000_000)]],
	"RSA key, bits": [withRsaKey, [2048, 3072, 4096]],
};

const COLUMNS = ["cpu", "requests", "p50", "p99", "memory"] as const;

report("growth", async () => {
	const rows: string[][] = [];
	for (const [unit, [start, sizes]] of Object.entries(GROWN)) {
		const steps = await Promise.all(sizes.map(start));
		const run = async ({ server, next, connections = 8, limit }: Step) => ({
			...(await server.run(
				next,
				connections,
				limit ?? { seconds: amount(0.2) },
			)),
			memory: server.memory,
		});
		for (const each of steps) {
			// A rejection must not be measured as a token.
			if (await each.server.rpc.handleEvent(...each.next()))
				throw new Error(`${unit}: the request was rejected`);
			await run(each);
		}
		const rounds = await inTurns(steps, run);
		const column = (index: number, what: (typeof COLUMNS)[number]) =>
			(rounds[index] ?? []).map((round) => round[what]);
		for (const [index, { size, server }] of steps.entries()) {
			const [cpu = "", ...others] = COLUMNS.map((what) =>
				spread(column(index, what)),
			);
			const toFirst = ratio(column(index, "cpu"), column(0, "cpu"));
			const name = `${unit}: ${size.toLocaleString("en")}`;
			rows.push([name, cpu, toFirst, ...others]);
			await server.stop();
		}
	}
	const head = [
		"",
		"CPU, µs/request",
		"ratio to its first",
		"requests/s",
		"p50, µs",
		"p99, µs",
		"memory, MB",
	];
	return [table(head, rows)];
});
