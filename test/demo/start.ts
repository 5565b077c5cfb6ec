/** `npm start`: the whole product on this machine, with nothing but Node.js. */
import { InvalidArgumentError, program } from "commander";
import { loadDeclarative } from "../gateway/declarative";
import { stderrLog } from "../gateway/log";
import { dedicatedServer, stockServer } from "../gateway/plugin-server";
import { CONFIG_FILES, type Demo, startDemo } from "./demo";
import { type Flow, makeFlows } from "./flows";

interface Options {
	check: boolean;
	config: string[];
	httpPort?: number;
	httpsPort?: number;
	backendPort?: number;
	resolve: string[];
	dedicated: boolean;
	verbose: boolean;
}

program
	.name("npm start --")
	.description("Runs plugin server, local gateway and sample backend")
	.option("--check", "run every flow, print a line for each, and exit", false)
	.option("--config <file...>", "declarative configuration", CONFIG_FILES)
	.option("--http-port <number>", "default 8000; a free one with --check", port)
	.option(
		"--https-port <number>",
		"default 8443; a free one with --check",
		port,
	)
	.option(
		"--backend-port <number>",
		"default 9000; a free one with --check",
		port,
	)
	.option("--resolve <host:port=address...>", "where a host really is", [])
	.option(
		"--dedicated",
		"run the plugin in its own hardened plugin server, not in the stock one",
		false,
	)
	.option(
		"--verbose",
		"log at level info, the plugin server's output too",
		false,
	)
	.parse();

function port(text: string): number {
	if (/^\d{1,5}$/.test(text)) return Number(text);
	throw new InvalidArgumentError("A port is expected.");
}

async function main(): Promise<void> {
	const options = program.opts<Options>();
	const demo = await startDemo({
		configuration: loadDeclarative(options.config),
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

main().catch((error: NodeJS.ErrnoException & { port?: number }) => {
	console.error(
		error.code === "EADDRINUSE"
			? `port ${error.port} is taken; see --http-port, --https-port and --backend-port`
			: error.message,
	);
	process.exitCode = 1;
});
