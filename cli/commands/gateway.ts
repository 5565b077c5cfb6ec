import { Command } from "@commander-js/extra-typings";
import { BadUse } from "../files";
import { port } from "../output";

/** `x-custom-jwt gateway`, which is also `npm start`. */
export function gateway() {
	return new Command("gateway")
		.description(
			"run the examples kong.yml and kong-enterprise.yml: plugin server, local gateway and sample backend; for your own file see try",
		)
		.option(
			"--check",
			"run every flow of the examples on both plugin servers and in process, print a line for each, and exit",
			false,
		)
		.option(
			"--http-port <number>",
			"default 8000; a free one with --check",
			port,
		)
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
		.option(
			"--resolve <host:port=address...>",
			"where a host really is",
			[] as string[],
		)
		.option(
			"--stock",
			"run the plugin in kong-pdk's plugin server, not in its own",
			false,
		)
		.option(
			"--in-process",
			"run the plugin in the gateway's own process, as handler.lua in Kong, without plugin server",
			false,
		)
		.option(
			"--verbose",
			"log at level info, the plugin server's output too; with --check print whole tokens",
			false,
		)
		.addHelpText(
			"after",
			"\nExample:\n  $ npx kong-plugin-x-custom-jwt gateway --check",
		)
		.action(async (options) => {
			// Loaded only when wanted: no other command needs it.
			const { start } =
				require("../../local/demo/start") as typeof import("../../local/demo/start");
			await start(options).catch(
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
