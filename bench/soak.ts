/**
 * What a plugin server keeps: resident memory over completed, rejected and aborted events, a third each.
 * `npm run bench:soak -- [stock|dedicated] [events]`, by default the dedicated server and 1,000,000 events.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PluginServer, stockServer } from "../test/gateway/plugin-server";
import { Client, clientOf, nobody } from "../test/pluginserver/client";
import { residentMegabytes } from "./proc";

const ROOT = join(__dirname, "..");
const CONNECTIONS = 8;
/** Events on a connection that is then closed with its last event aborted. */
const EVENTS_PER_CONNECTION = 300;

const [which = "dedicated", events = "1000000"] = process.argv.slice(2);
const COMMAND =
	which === "stock"
		? stockServer(join(ROOT, "dist/plugins"))
		: [
				process.execPath,
				join(ROOT, "dist/x-custom-jwt-pluginserver.js"),
				"--log-level",
				"error",
			];

async function main(): Promise<void> {
	const server = new PluginServer(COMMAND, () => {});
	await server.start();
	const { socketPath, pid = 0 } = server;
	const private_jwk = readFileSync(
		join(ROOT, "test-keys/HS256-jwk.json"),
		"utf8",
	);
	const starter = await Client.connect(socketPath);
	const instance = await starter.startInstance({ private_jwk });

	const total = Number(events);
	let left = 0;
	const loop = async () => {
		while (left > 0) {
			const client = await Client.connect(socketPath);
			for (let i = 0; i < EVENTS_PER_CONNECTION && left > 0; i += 3) {
				left -= 3;
				await client.runPhase(instance, clientOf("k"));
				await client.runPhase(instance, nobody);
				// Aborted: the plugin waits for a result that never comes.
				await client.handleEvent(instance);
			}
			await client.close();
		}
	};
	console.log(`${which} plugin server`);
	console.log(
		"| events | resident memory under load, MB | after 30 s of rest, MB |",
	);
	console.log("|---|---|---|");
	let done = 0;
	const goals = [50_000, 0.25 * total, 0.5 * total, 0.75 * total, total];
	for (const goal of goals.filter((goal, i) => i === 0 || goal > 50_000)) {
		left = goal - done;
		done = goal;
		await Promise.all(Array.from({ length: CONNECTIONS }, loop));
		const busy = residentMegabytes(pid).toFixed(0);
		await sleep(30_000);
		const rested = residentMegabytes(pid).toFixed(0);
		console.log(`| ${goal} | ${busy} | ${rested} |`);
	}
	await starter.close();
	await server.stop();
}

main();
