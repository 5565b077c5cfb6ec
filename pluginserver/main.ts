/** The plugin server of x-custom-jwt as a program: flags, socket, signals. */
// First, before anything else takes its time.
import "./debugger";

import { isIPv4, isIPv6 } from "node:net";
import { availableParallelism } from "node:os";
import { isAbsolute, join } from "node:path";
import { InvalidArgumentError, Option, program } from "commander";
import { Version } from "../plugins/x-custom-jwt";
import { toRefusal } from "../plugins/x-custom-jwt/errors";
import { keepDebuggerClosed } from "./debugger";
import { checkHealth } from "./health";
import { createLog, LOG_LEVELS, type LogLevel } from "./log";
import type { MetricsPlace } from "./metrics";
import { dump } from "./rpc";
import { runServer } from "./server";
import { runWorker } from "./worker";
import { WORKER_FLAG } from "./workers";

/** More is a mistake. */
const MAX_WORKERS = 64;

interface Options {
	kongPrefix: string;
	sockName: string;
	socket?: string;
	socketMode: number;
	dump?: boolean;
	dumpAllPlugins?: boolean;
	health?: string | true;
	logLevel: LogLevel;
	phaseTimeout: number;
	idleTimeout: number;
	metrics?: MetricsPlace;
	workers: number;
	/** Whether this is one that another process has started. */
	worker?: boolean;
}

/** Below the time that probes have in `deploy/` and the compose files, so that it says what is wrong, in milliseconds. */
const HEALTH_TIMEOUT = 3000;

program
	.name("x-custom-jwt-pluginserver")
	.description("Plugin server of the Kong plugin x-custom-jwt")
	.version(Version)
	.option(
		"-p, --kong-prefix <folder>",
		"where the socket goes",
		"/usr/local/kong",
	)
	.option(
		"--sock-name <name>",
		"the socket's name in it",
		"x_custom_jwt.socket",
	)
	.option("--socket <path>", "the socket's whole path instead")
	.addOption(
		new Option(
			"--socket-mode <octal>",
			"who may connect; the private key travels over it",
		)
			.argParser(octal)
			.default(0o600, "600"),
	)
	.option(
		"--dump",
		"print the plugin and its schema as JSON, for Kong's query command",
	)
	.option("--dump-all-plugins", "the same, by the stock server's name")
	.option(
		"--health [url]",
		"exit 0 when the server on the socket answers, and so does the URL, e.g. Kong's /status/ready",
	)
	.addOption(
		new Option("--log-level <level>", "least level of a log line")
			.choices(LOG_LEVELS)
			.default("info"),
	)
	.option(
		"--phase-timeout <seconds>",
		"the plugin's own work on a request; then it is answered with 500",
		seconds,
		5,
	)
	.option(
		"--idle-timeout <seconds>",
		"then an unused instance is stopped",
		seconds,
		3600,
	)
	.option(
		"--workers <number>",
		"processes that share the work; auto is the cores minus one",
		workerCount,
		1,
	)
	.addOption(new Option(WORKER_FLAG).hideHelp())
	.option(
		"--metrics <place>",
		"serve Prometheus metrics on this loopback port, address and port (such as 0.0.0.0:9542), or unix socket",
		metricsPlace,
	);

async function main(): Promise<void> {
	const options = program.parse().opts<Options>();
	if (options.dump || options.dumpAllPlugins) {
		process.stdout.write(`${JSON.stringify(dump())}\n`);
		return;
	}
	const path = options.socket ?? join(options.kongPrefix, options.sockName);
	if (options.health) {
		const url = options.health === true ? undefined : options.health;
		await checkHealth(path, url, HEALTH_TIMEOUT);
		return;
	}
	const log = createLog(options.logLevel, (line) => process.stdout.write(line));
	// Kong, which read the log, is gone; requests may still be in flight.
	process.stdout.on("error", () => {});
	// No request may end the process: Kong would send it to the next one.
	for (const event of ["uncaughtException", "unhandledRejection"] as const)
		process.on(event, (thrown) =>
			log("error", "defect", { error: toRefusal(thrown).message }),
		);

	await keepDebuggerClosed(log);
	const { socketMode, workers, metrics } = options;
	const timeouts = {
		phase: options.phaseTimeout * 1000,
		idle: options.idleTimeout * 1000,
	};
	if (options.worker) runWorker(log, timeouts, metrics !== undefined);
	else await runServer({ path, socketMode, timeouts, workers, metrics }, log);
}

/** How many processes share the work. */
function workerCount(text: string): number {
	if (text === "auto") return Math.max(1, availableParallelism() - 1);
	const count = Number(text);
	if (Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS)
		return count;
	throw new InvalidArgumentError(
		`A number from 1 to ${MAX_WORKERS}, or auto, is expected.`,
	);
}

function octal(text: string): number {
	if (!/^[0-7]{3,4}$/.test(text))
		throw new InvalidArgumentError("An octal mode is expected, such as 0660.");
	return Number.parseInt(text, 8);
}

/** Where metrics are served: a port is one of the loopback interface. */
function metricsPlace(text: string): MetricsPlace {
	if (isAbsolute(text)) return { path: text };
	const [, address, digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
	const port = Number(digits);
	const host = hostOf(address);
	if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
	throw new InvalidArgumentError(
		"A port, an IP address with a port (0.0.0.0:9542, [::]:9542) or an absolute path is expected.",
	);
}

/** The address to listen on. IPv6 addresses are in brackets. */
function hostOf(address: string | undefined): string | undefined {
	if (address === undefined) return "127.0.0.1";
	if (isIPv4(address)) return address;
	const bracketed = /^\[([^%]+)\]$/.exec(address)?.[1];
	return bracketed && isIPv6(bracketed) ? bracketed : undefined;
}

function seconds(text: string): number {
	const number = Number(text);
	if (number > 0 && number <= 86_400) return number;
	throw new InvalidArgumentError("Seconds are expected, at most 86400.");
}

main().catch((error: Error) => {
	console.error(`x-custom-jwt-pluginserver: ${error.message}`);
	// Also when timers or workers would keep it running.
	process.exit(1);
});
