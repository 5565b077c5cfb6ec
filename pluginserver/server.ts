/** The process that Kong starts: it has the socket, all instances, and serves Kong, alone or with workers. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Version } from "../plugins/x-custom-jwt";
import { Connections } from "./connections";
import { keepHouse, type Timeouts } from "./housekeeping";
import type { Log } from "./log";
import type { MetricsPlace } from "./metrics";
import {
	closeOutput,
	isKongEnding,
	isKongReloading,
	isParentLeaving,
} from "./parent";
import { PluginServerRpc } from "./rpc";
import { isListening, listenOnSocket, type Place } from "./socket";
import { Workers } from "./workers";

/** `SIGQUIT` is the stop signal of Kong's image, so containers made of it get that one. */
export const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const;

/** How long workers may take to start, and to end when they should have ended, in milliseconds. */
const WORKER_PATIENCE = 2000;

/** How often to look whether another server has taken over, in milliseconds. */
const WATCH_INTERVAL = 100;

/** A server that is stopped goes on until it has had no event for this long, or another server has taken over, in milliseconds. */
const LINGER = 200;

/** While Kong reloads, this one goes on until Kong has started the next, for this long at most, in milliseconds. */
const RELOAD = 30_000;

/** Kong has had its last request when nothing came for this long while it ends, in milliseconds. */
const LAST_REQUEST = 2000;

/** An event holds one connection for all its time, and one file at most beside it. */
const FILES_WANTED = 11_000;

/** How to serve. */
export interface ServerOptions {
	/** The socket that Kong connects to, and who may. */
	path: string;
	socketMode: number;
	timeouts: Timeouts;
	/** How many processes share the work. */
	workers: number;
	/** Where to serve metrics, if they are wanted. */
	metrics?: MetricsPlace;
}

/** Serves Kong until a signal, or until another server has taken over and Kong is gone. */
export async function runServer(
	{ path, socketMode, timeouts, workers: count, metrics }: ServerOptions,
	log: Log,
): Promise<void> {
	const rpc = new PluginServerRpc(log);
	const connections = new Connections(rpc, log);
	const servers: Server[] = [];
	// Removes their sockets.
	const close = () => {
		for (const server of servers) server.close();
	};
	process.once("exit", close);
	let workers: Workers | undefined;
	let place: Place | undefined;
	const stop = keepHouse(connections, log, timeouts, async (reason) => {
		const ended = workers?.stop(reason, timeouts.phase + WORKER_PATIENCE);
		if (place) {
			await linger(place, rpc, timeouts.phase / 2);
			await place.leave();
		}
		close();
		connections.retire();
		await ended;
	});
	// Before the sockets are there, so that none of them is left behind.
	for (const signal of SIGNALS) process.on(signal, stop);

	if (count > 1) {
		const cores = availableParallelism();
		if (count > cores)
			log("warn", "more workers than cores", { workers: count, cores });
		workers = new Workers(count - 1, connections, log);
	}
	const listener =
		workers?.createListener(WORKER_PATIENCE) ??
		createServer((socket) => connections.add(socket));
	// The server that is there serves Kong meanwhile.
	if (await isListening(path)) await workers?.ready(WORKER_PATIENCE);
	place = await listenOnSocket(listener, path, socketMode, log);
	watch(place, connections, workers, log, stop);
	warnOfFewFiles(log);
	if (metrics !== undefined) {
		// Loaded only when wanted: it would be a tenth of the memory.
		const { serveMetrics } = require("./metrics") as typeof import("./metrics");
		await serveMetrics(metrics, socketMode, rpc, log, workers, (server) =>
			servers.push(server),
		);
	}
	log("info", "started", { socket: path, version: Version, pid: process.pid });
}

/** Waits while there are events, until another server takes them or the time is over. */
async function linger(
	place: Place,
	{ events }: PluginServerRpc,
	most: number,
): Promise<void> {
	const start = performance.now();
	const isAsked = () =>
		performance.now() - Math.max(start, events.lastStarted) < LINGER;
	const lasts = () => performance.now() - start;
	while (
		!place.isTaken() &&
		((isAsked() && lasts() < most) || (isKongReloading() && lasts() < RELOAD))
	)
		await sleep(10);
}

/**
 * Looks after what ends beside this server. Once another server has its place, Kong is moved there, and when Kong's worker
 * that started this one ends or is gone, so does this one: nobody would end it. Without a successor, it ends Kong's wait
 * for its output.
 */
function watch(
	place: Place,
	connections: Connections,
	workers: Workers | undefined,
	log: Log,
	stop: (reason: string) => void,
): void {
	const { events } = connections.rpc;
	let isRetired = false;
	let isOutputClosed = false;
	let lastUsed = performance.now();
	setInterval(() => {
		const open = connections.size + (workers?.connections ?? 0);
		if (open > 0) lastUsed = performance.now();
		if (place.isTaken()) {
			if (!isRetired) {
				log("info", "another server has taken over", { connections: open });
				connections.retire();
				workers?.retire();
			}
			isRetired = true;
			if (isParentLeaving()) stop("Kong has left");
			return;
		}
		const last = Math.max(lastUsed, events.lastStarted);
		if (isOutputClosed || performance.now() - last < LAST_REQUEST) return;
		if (!isKongEnding()) return;
		isOutputClosed = true;
		closeOutput();
	}, WATCH_INTERVAL);
}

/**
 * Warns when the process may not have the open files of 10,000 requests in flight. Node.js takes what the
 * hard limit gives; more can only be had from whoever starts it (`ulimit -n`, `LimitNOFILE`).
 *
 * @param path where Linux tells the limits of this process; other systems tell none
 */
export function warnOfFewFiles(log: Log, path = "/proc/self/limits"): void {
	let limits: string;
	try {
		limits = readFileSync(path, "utf8");
	} catch {
		return;
	}
	const [, limit] = /^Max open files +(\d+)/m.exec(limits) ?? [];
	if (limit && Number(limit) < FILES_WANTED)
		log("warn", "few open files: a burst of connections may get 500", {
			limit,
			wanted: FILES_WANTED,
		});
}
