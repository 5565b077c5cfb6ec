/** The command `conformance`: every flow of the examples on a gateway, whichever it is. */
import { exec } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { readConfiguration } from "../../declarative/model";
import { bestMatch } from "../../declarative/paths";
import { printable } from "../../jwk/printable";
import { packageRoot } from "../../schema/package-root";
import { CONFIG_FILES, startDemo, startSampleBackend } from "../demo/demo";
import { type Flow, makeFlows, type Reach } from "../demo/flows";
import { runFlow } from "../demo/run-flow";
import { loadDeclarative } from "../gateway/entities";
import { dedicatedServer, stockServer } from "../gateway/plugin-server";
import { send } from "../http";
import { makeRawFlows } from "./raw";
import { type Case, hasPassed, junit, type Report, table } from "./report";
import { throughRestart } from "./restart";
import { makeTricks, NotOffered } from "./tricks";

/** What the command line can say. */
export interface ConformanceOptions {
	/** Base URLs of the gateway's listeners; without them the local gateway is tried, on both plugin servers. */
	proxy?: string;
	proxyTls?: string;
	/** Base URL of Kong's Admin API, which says the version. */
	admin?: string;
	/** Port on which the sample backend is started, for a gateway on this machine. */
	backend?: number;
	/** Declarative configuration that the gateway runs: flows of routes that it has not are left out. */
	config: string[];
	/** Shell command that ends the plugin server. */
	restart?: string;
	/** Files to write. */
	junit?: string;
	json?: string;
}

/**
 * Runs the suite, prints its table and writes its files.
 *
 * @returns whether every flow did as it should
 * @param signal ends it
 * @throws when the gateway cannot be reached at all, a part does not start, or it is aborted
 */
export async function conformance(
	options: ConformanceOptions,
	signal?: AbortSignal,
): Promise<boolean> {
	const reports = options.proxy
		? [await onGateway(options.proxy, options, signal)]
		: await onLocalGateway(signal);
	const isPrinted = options.junit === "-" || options.json === "-";
	for (const report of reports)
		(isPrinted ? console.error : console.log)(table(report));
	if (options.junit) write(options.junit, junit(reports));
	if (options.json)
		write(options.json, `${JSON.stringify(reports, null, "\t")}\n`);
	return reports.every(hasPassed);
}

/** @param path a file; `-` is standard output */
function write(path: string, text: string): void {
	if (path === "-") process.stdout.write(printable(text));
	else writeFileSync(path, printable(text));
}

async function onGateway(
	proxy: string,
	{ proxyTls, admin, backend, config, restart }: ConformanceOptions,
	signal?: AbortSignal,
): Promise<Report> {
	const httpUrl = withoutSlash(proxy);
	const httpsUrl = proxyTls && withoutSlash(proxyTls);
	const reach = { httpUrl, httpsUrl: httpsUrl ?? "https://not.given" };
	const started =
		backend === undefined
			? undefined
			: await startSampleBackend(reach, { backendPort: backend });
	try {
		const version = await versionOf(httpUrl, admin);
		const served = readConfiguration(config).routes.flatMap(
			({ paths }) => paths,
		);
		const flows = (await flowsOf(reach)).filter(
			({ route }) => bestMatch(served, route) !== undefined,
		);
		const cases = await runAll(flows, httpsUrl !== undefined, signal);
		if (restart)
			cases.push(
				await restartCase(reach, () => promisify(exec)(restart), signal),
			);
		return { gateway: httpUrl, version, cases };
	} finally {
		await started?.close();
	}
}

/** The local gateway with the dedicated plugin server, and with the stock one behind the guard. */
async function onLocalGateway(signal?: AbortSignal): Promise<Report[]> {
	const guard = join(packageRoot(), "deck/guard.yml");
	const servers = [
		["the dedicated plugin server", dedicatedServer(), CONFIG_FILES],
		[
			"kong-js-pluginserver behind the guard",
			stockServer(),
			[...CONFIG_FILES, guard],
		],
	] as const;
	const reports: Report[] = [];
	for (const [name, pluginServerCommand, files] of servers) {
		const demo = await startDemo({
			configuration: loadDeclarative([...files]),
			pluginServerCommand: [...pluginServerCommand],
			signal,
			log: () => {},
		});
		try {
			const { gateway, pluginServer } = demo;
			const cases = await runAll(await flowsOf(gateway), true, signal);
			const kill = async () => process.kill(pluginServer.pid ?? 0, "SIGKILL");
			cases.push(await restartCase(gateway, kill, signal));
			const version = await versionOf(gateway.httpUrl);
			reports.push({ gateway: `local gateway, ${name}`, version, cases });
		} finally {
			await demo.close();
		}
	}
	return reports;
}

async function flowsOf(reach: Reach): Promise<Flow[]> {
	return [
		...(await makeFlows(reach)),
		...makeTricks(reach),
		...makeRawFlows(reach),
	];
}

async function runAll(
	flows: Flow[],
	hasTls: boolean,
	signal?: AbortSignal,
): Promise<Case[]> {
	const cases: Case[] = [];
	for (const flow of flows) {
		signal?.throwIfAborted();
		cases.push(await runCase(flow, hasTls));
	}
	return cases;
}

async function runCase(flow: Flow, hasTls: boolean): Promise<Case> {
	const expected = [
		flow.status,
		flow.clientId && `client_id ${flow.clientId}`,
		flow.mayBeRefused && "or a refusal",
	]
		.filter(Boolean)
		.join(" ");
	const timed = stopwatch();
	const skipped = (got: string): Case => ({
		...{ name: flow.name, expected, got, verdict: "skipped" },
		...timed(),
	});
	if (flow.isTls && !hasTls) return skipped("--proxy-tls is not given");
	const { passed, got, error } = await runFlow(flow);
	if (error instanceof NotOffered) return skipped(error.message);
	return {
		...{ name: flow.name, expected, got },
		verdict: passed ? "passed" : "failed",
		...timed(),
	};
}

async function restartCase(
	reach: Reach,
	restart: () => Promise<unknown>,
	signal?: AbortSignal,
): Promise<Case> {
	const timed = stopwatch();
	const { passed, got } = await throughRestart(reach, restart, signal);
	signal?.throwIfAborted();
	return {
		name: "Forged X-Custom-Jwt while the plugin server restarts",
		expected: "their own token or a refusal, and soon all served",
		got,
		verdict: passed ? "passed" : "failed",
		...timed(),
	};
}

function stopwatch(): () => { milliseconds: number } {
	const started = performance.now();
	return () => ({ milliseconds: performance.now() - started });
}

/** What Kong says it is, in its Admin API or in an answer of its own: there may be no more than the header (Kong fact). */
async function versionOf(proxy: string, admin?: string): Promise<string> {
	const url = admin ? `${withoutSlash(admin)}/` : `${proxy}/x-custom-jwt/jwks`;
	const { body, headers } = await send(url);
	const version = admin && /"version":"([^"]+)"/.exec(body)?.[1];
	return version ? `kong/${version}` : String(headers.server ?? "unknown");
}

function withoutSlash(url: string): string {
	return url.replace(/\/+$/, "");
}
