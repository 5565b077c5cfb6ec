/** Does a plugin server keep anything? Valid, rejected and aborted requests, a third each, and then rest. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import { framesOf } from "../pluginserver/frames";
import { RpcCall } from "../pluginserver/messages";
import { amount, report, table } from "./report";
import { LoadedServer, requestOf, withApiKey, withKey } from "./servers";

const CONNECTIONS = 8;
/** In seconds; longer than the server takes to notice that it is at rest. */
const REST = 25;
/** Requests between two looks at the memory, and how many looks. */
const GOALS = {
	dedicated: [amount(500_000), 5],
	stock: [amount(50_000), 2],
} as const;

/** Starts an event, and ends the connection at the plugin's first question. */
function abort({ server }: LoadedServer, event: Uint8Array): Promise<void> {
	return new Promise((resolve, reject) => {
		const socket = connect(server.socketPath, () => socket.write(event));
		socket.once("data", () => socket.destroy());
		socket.once("error", reject).once("close", () => resolve());
	});
}

async function soak(name: keyof typeof GOALS): Promise<string[][]> {
	const server = await LoadedServer.start(name);
	const instance = await server.startInstance(withKey("HS256"));
	const event = { instance_id: instance, event_name: "access" };
	const start =
		name === "stock"
			? encode([
					0,
					1,
					"plugin.HandleEvent",
					[{ InstanceId: instance, EventName: "access" }],
				])
			: framesOf((frames) =>
					frames.message(RpcCall, { sequence: 1, cmd_handle_event: event }),
				);
	const nobody = requestOf(undefined);
	const [goal, looks] = GOALS[name];
	const rows: string[][] = [];
	for (let look = 1; look <= looks; look++) {
		let made = 0;
		const loop = async () => {
			for (; made < goal; made += 3) {
				await server.rpc.handleEvent(instance, withApiKey);
				await server.rpc.handleEvent(instance, nobody);
				await abort(server, start);
			}
		};
		await Promise.all(Array.from({ length: CONNECTIONS }, loop));
		const busy = server.memory;
		await sleep(REST * 1000);
		const requests = (look * goal).toLocaleString("en");
		rows.push([name, requests, busy.toFixed(0), server.memory.toFixed(0)]);
	}
	await server.stop();
	return rows;
}

report("soak", async () => {
	const rows = [...(await soak("dedicated")), ...(await soak("stock"))];
	const head = [
		"plugin server",
		"requests so far",
		"memory under load, MB",
		`after ${REST} s of rest, MB`,
	];
	return [table(head, rows)];
});
