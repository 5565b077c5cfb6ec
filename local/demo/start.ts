/** `npm start`, and the command `gateway`: the whole product on this machine, with nothing but Node.js. */
import { ALGORITHMS } from "../../cli/keys";
import { loadDeclarative } from "../../declarative/model";
import { stderrLog } from "../gateway/log";
import { dedicatedServer, stockServer } from "../gateway/plugin-server";
import { CONFIG_FILES, type Demo, startDemo } from "./demo";
import { type Flow, makeFlows } from "./flows";

/** What the command line can say. */
export interface StartOptions {
	/** Run every flow and end, instead of serving. */
	check: boolean;
	/** Declarative configuration; the examples by default. */
	config?: string[];
	/** TCP ports; 8000, 8443 and 9000 by default, free ones with `check`. */
	httpPort?: number;
	httpsPort?: number;
	backendPort?: number;
	/** `host:port=address` each, as in curl's `--resolve`. */
	resolve: string[];
	/** The dedicated plugin server instead of the stock one. */
	dedicated: boolean;
	/** Log at level info. */
	verbose: boolean;
}

/**
 * Starts everything, until a signal comes; with `check` runs every flow and sets the exit code 1 when one fails.
 *
 * @throws when a port is taken, naming it, or a part does not start
 */
export async function start(options: StartOptions): Promise<void> {
	const demo = await startDemo({
		configuration: loadDeclarative(options.config ?? CONFIG_FILES),
		// The user's own key may be for another algorithm than that of the examples.
		algorithms: options.config && ALGORITHMS,
		pluginServerCommand: options.dedicated ? dedicatedServer() : stockServer(),
		httpPort: options.httpPort ?? (options.check ? 0 : 8000),
		httpsPort: options.httpsPort ?? (options.check ? 0 : 8443),
		backendPort: options.backendPort ?? (options.check ? 0 : 9000),
		resolve: options.resolve.map((pair) => {
			const [host, address] = pair.split("=");
			if (!host || !address)
				throw new Error(`--resolve ${pair}: host:port=address is expected`);
			return [host, address];
		}),
		log: stderrLog(options.verbose ? "info" : "warn"),
	});
	if (options.check) {
		process.exitCode = (await check(demo)) ? 0 : 1;
		return demo.close();
	}
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
		process.once(signal, () => demo.close());
	await introduce(demo);
}

async function introduce({
	gateway,
	backend,
	pluginServer,
}: Demo): Promise<void> {
	console.log(`
gateway         ${gateway.httpUrl}  ${gateway.httpsUrl}
JWK Set         ${gateway.httpUrl}/x-custom-jwt/jwks
sample backend  http://localhost:${backend.port}/anything
token inspector http://localhost:${backend.port}/
plugin server   process ${pluginServer.pid}

Try it (Ctrl-C ends):
`);
	for (const flow of await makeFlows(gateway))
		console.log(`# ${flow.name}: ${flow.status}\n${flow.curl}\n`);
}

/** Runs every flow. Resolves to whether each did as it should. */
async function check({ gateway }: Demo): Promise<boolean> {
	let good = true;
	for (const flow of await makeFlows(gateway)) {
		const { passed, line } = await run(flow);
		console.log(`${passed ? "ok    " : "FAILED"} ${flow.name}: ${line}`);
		good &&= passed;
	}
	return good;
}

async function run(flow: Flow): Promise<{ passed: boolean; line: string }> {
	try {
		const { status, body } = await flow.send();
		const { jwt } = JSON.parse(body);
		const outcome = jwt
			? `verified ${JSON.stringify(jwt.header)} ${JSON.stringify(jwt.claims)}`
			: `no token verified, ${body.replaceAll(/\s+/g, " ")}`;
		return {
			passed: status === flow.status && jwt?.claims.client_id === flow.clientId,
			line: `${flow.curl} → ${status} ${outcome}`,
		};
	} catch (error) {
		return { passed: false, line: `${flow.curl} → ${error}` };
	}
}
