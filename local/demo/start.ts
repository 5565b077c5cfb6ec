/** `npm start`, and the command `gateway`: the whole product on this machine, with nothing but Node.js. */
import { once } from "node:events";
import { printableLine } from "../../jwk/printable";
import { stderrLog } from "../gateway/log";
import { dedicatedServer, stockServer } from "../gateway/plugin-server";
import { interruptible } from "../interruptible";
import { type Demo, startDemo } from "./demo";
import { makeFlows } from "./flows";
import { runFlow } from "./run-flow";

/** What the command line can say. */
export interface StartOptions {
	/** Run every flow and end, instead of serving. */
	check: boolean;
	/** TCP ports; 8000, 8443 and 9000 by default, free ones with `check`. */
	httpPort?: number;
	httpsPort?: number;
	backendPort?: number;
	/** `host:port=address` each, as in curl's `--resolve`. */
	resolve: string[];
	/** The stock plugin server instead of the dedicated one. */
	stock: boolean;
	/** The plugin in the gateway's own process instead of a plugin server. */
	inProcess: boolean;
	/** Log at level info; with `check` print whole tokens. */
	verbose: boolean;
}

/**
 * Starts everything, until a signal comes; with `check` runs every flow on both plugin servers and in process, or
 * with `stock` or `inProcess` on that one, and sets the exit code 1 when one fails.
 *
 * @throws when a port is taken, naming it, or a part does not start
 */
export function start(options: StartOptions): Promise<void> {
	return interruptible((signal) =>
		options.check ? checkServers(options, signal) : serve(options, signal),
	);
}

async function serve(
	options: StartOptions,
	signal: AbortSignal,
): Promise<void> {
	const demo = await startWith(
		chosen(options)[0] ?? DEDICATED,
		options,
		signal,
	);
	try {
		await introduce(demo);
		if (!signal.aborted) await once(signal, "abort");
		process.exitCode = 0;
	} finally {
		await demo.close();
	}
}

async function checkServers(
	options: StartOptions,
	signal: AbortSignal,
): Promise<void> {
	let good = true;
	for (const runtime of chosen(options)) {
		console.log(`${runtime.name}:`);
		const demo = await startWith(runtime, options, signal);
		try {
			good = (await check(demo, options.verbose, signal)) && good;
		} finally {
			await demo.close();
		}
	}
	if (!good) process.exitCode = 1;
}

/** Where the plugin runs: in a plugin server with this command, or in process without one. */
interface Runtime {
	name: string;
	command?: () => string[];
}

const DEDICATED: Runtime = {
	name: "the dedicated plugin server",
	command: dedicatedServer,
};
const STOCK: Runtime = {
	name: "the stock kong-js-pluginserver",
	command: stockServer,
};
const IN_PROCESS: Runtime = { name: "in process, handler.lua" };

/** Those that the options name; all of them by default. */
function chosen({ stock, inProcess }: StartOptions): Runtime[] {
	const named = [...(stock ? [STOCK] : []), ...(inProcess ? [IN_PROCESS] : [])];
	return named.length > 0 ? named : [DEDICATED, STOCK, IN_PROCESS];
}

function startWith(
	{ command }: Runtime,
	options: StartOptions,
	signal: AbortSignal,
): Promise<Demo> {
	const port = (given: number | undefined, byDefault: number) =>
		given ?? (options.check ? 0 : byDefault);
	return startDemo({
		pluginServerCommand: command?.(),
		inProcess: command === undefined,
		httpPort: port(options.httpPort, 8000),
		httpsPort: port(options.httpsPort, 8443),
		backendPort: port(options.backendPort, 9000),
		resolve: options.resolve.map((pair) => {
			const [host, address] = pair.split("=");
			if (!host || !address)
				throw new Error(`--resolve ${pair}: host:port=address is expected`);
			return [host, address];
		}),
		signal,
		log: stderrLog(options.verbose ? "info" : "warn"),
	});
}

/** As many requests are printed; the inspector has buttons for all of them. */
const PRINTED = 3;

/** Says where everything is, and what to send first. */
async function introduce({ gateway, backend }: Demo): Promise<void> {
	const flows = await makeFlows(gateway);
	console.log(`
gateway         ${gateway.httpUrl}  ${gateway.httpsUrl}
JWK Set         ${gateway.httpUrl}/x-custom-jwt/jwks
sample backend  http://localhost:${backend.port}/anything

Try it (Ctrl-C ends):
`);
	for (const flow of flows.slice(0, PRINTED))
		console.log(`# ${flow.name}\n${flow.curl}\n`);
	console.log(
		`${flows.length - PRINTED} more requests are in the token inspector: http://localhost:${backend.port}/`,
	);
}

/** Runs every flow. Resolves to whether each did as it should. */
async function check(
	{ gateway }: Demo,
	verbose: boolean,
	signal: AbortSignal,
): Promise<boolean> {
	const flows = await makeFlows(gateway);
	const width = Math.max(...flows.map(({ name }) => name.length));
	let good = true;
	for (const flow of flows) {
		signal.throwIfAborted();
		const { passed, got, jwt } = await runFlow(flow);
		const verdict = passed ? "ok    " : "FAILED";
		console.log(`${verdict} ${flow.name.padEnd(width)}  ${got}`);
		if (verbose && jwt)
			console.log(
				`       ${printableLine(JSON.stringify(jwt.header))} ${printableLine(JSON.stringify(jwt.claims))}`,
			);
		good &&= passed;
	}
	return good;
}
