import { join } from "node:path";
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { interruptible } from "../../local/interruptible";
import { packageRoot } from "../../schema/package-root";
import { BadUse } from "../files";
import { EXIT, port } from "../output";

/** `x-custom-jwt conformance`. */
export function conformance() {
	return new Command("conformance")
		.description(
			"run every flow of the examples, header tricks and a restart of the plugin server on a gateway, and tell which do as they should",
		)
		.option(
			"--proxy <url>",
			"the gateway (default: the local one, on both plugin servers)",
			url,
		)
		.option(
			"--proxy-tls <url>",
			"its listener for TLS; without it flows that need TLS are skipped",
			url,
		)
		.option("--admin <url>", "its Admin API, which tells the version", url)
		.option(
			"--backend <port>",
			"start the sample backend on this port, where the gateway's httpbin:9000 leads; else it must be there",
			port,
		)
		.option("--config <file...>", "what the gateway runs (default: kong.yml)")
		.option(
			"--restart <command>",
			"shell command that ends the plugin server; without it no restart is tried",
		)
		.option("--junit <file>", "write JUnit XML; - is standard output")
		.option("--json <file>", "write JSON; - is standard output")
		.addHelpText(
			"after",
			`
The gateway must run kong.yml (or what --config says) with the sample backend behind it. The exit code is 1 when a flow
does not do as it should. Example:
  $ docker compose up --detach --build
  $ npx kong-plugin-x-custom-jwt conformance --proxy http://localhost:8000 --proxy-tls https://localhost:8443 \\
      --restart 'docker compose restart kong'`,
		)
		.action(async ({ config, ...options }) => {
			if (options.junit === "-" && options.json === "-")
				throw new BadUse("--junit - and --json -: only one can be printed");
			// Loaded only when wanted: no other command needs it.
			const { conformance: run } =
				require("../../local/conformance/conformance") as typeof import("../../local/conformance/conformance");
			await interruptible(async (signal) => {
				const passed = await run(
					{
						...options,
						config: config ?? [join(packageRoot(), "kong.yml")],
					},
					signal,
				);
				process.exitCode = passed ? EXIT.ok : EXIT.no;
			}).catch((error: Error) => {
				throw new BadUse(error.message);
			});
		});
}

function url(text: string): string {
	if (/^https?:/.test(text) && URL.canParse(text)) return text;
	throw new InvalidArgumentError("A URL with http or https is expected.");
}
