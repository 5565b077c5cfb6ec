import { Command } from "@commander-js/extra-typings";
import { readConfiguration } from "../../declarative/model";
import { filledIn } from "../../local/try/filled-in";
import { checkConfiguration } from "../check";
import { BadUse } from "../files";
import { EXIT, port, print, printLine } from "../output";

/** `x-custom-jwt try` */
export function tryFile() {
	return new Command("try")
		.description(
			"run your own declarative file here: check it, start a gateway with the plugin before an echo backend, and print a curl command for each consumer credential and route",
		)
		.argument(
			"<file...>",
			"YAML or JSON for DB-less Kong or decK; several make up one configuration",
		)
		.option(
			"--upstream <host=url...>",
			"where the backend of a Service with this host really is; all others lead to the echo backend",
			[] as string[],
		)
		.option(
			"--check",
			"send every request, print a line for each, and exit",
			false,
		)
		.option("--http-port <number>", "port of the gateway", port, 8000)
		.option("--https-port <number>", "port of the gateway, TLS", port, 8443)
		.option("--backend-port <number>", "port of the inspector", port, 9000)
		.option(
			"--verbose",
			"log at level info, the plugin server's output too; with --check print whole tokens",
			false,
		)
		.addHelpText(
			"after",
			`
The key of a vault reference comes from the environment, or from keys/private-jwk.json beside the file, or is a
throw-away one. Examples:
  $ npx kong-plugin-x-custom-jwt try kong.yml
  $ npx kong-plugin-x-custom-jwt try kong.yml --upstream orders=http://localhost:3000`,
		)
		.action(async (files, options) => {
			const missing = new Set<string>();
			const configuration = readConfiguration(files, (text) =>
				filledIn(text, (name) => missing.add(name)),
			);
			const findings = (await checkConfiguration(configuration)).filter(
				// Here nothing is at stake.
				({ id }) => id !== "test-key",
			);
			const errors = findings.filter(({ severity }) => severity === "error");
			for (const { file, line, column, severity, message } of findings)
				if (severity !== "note")
					printLine(`${file}:${line}:${column} ${severity}: ${message}`);
			if (errors.length > 0) {
				print(
					`${errors.length} errors: repair them first; npx kong-plugin-x-custom-jwt config check reports the same`,
				);
				process.exitCode = EXIT.no;
				return;
			}
			for (const name of missing)
				printLine(
					`note: ${name} is not set in the environment, so its place in the file stays as it is`,
				);
			// Loaded only when wanted: no other command needs it.
			const { tryConfiguration } =
				require("../../local/try/try") as typeof import("../../local/try/try");
			const reported = findings.map(({ message }) => message);
			await tryConfiguration({ configuration, reported, ...options }).catch(
				(error: NodeJS.ErrnoException & { port?: number }) => {
					throw new BadUse(
						error.code === "EADDRINUSE"
							? `port ${error.port} is taken; see --http-port, --https-port and --backend-port`
							: error.message,
					);
				},
			);
		});
}
