/** The command `x-custom-jwt`: puts its commands together and turns what they throw into exit codes. */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { Unreadable } from "../declarative/read-file";
import { JwkError } from "../jwk/error";
import { printableLine } from "../jwk/printable";
import { version } from "../package.json";
import { toRefusal } from "../plugins/x-custom-jwt/errors";
import { completion } from "./commands/completion";
import { configCheck } from "./commands/config-check";
import { configExplain } from "./commands/config-explain";
import { conformance } from "./commands/conformance";
import { gateway } from "./commands/gateway";
import { init } from "./commands/init";
import { keysGenerate } from "./commands/keys-generate";
import { keysImport } from "./commands/keys-import";
import { keysPem } from "./commands/keys-pem";
import { keysPublic } from "./commands/keys-public";
import { keysRotate } from "./commands/keys-rotate";
import { keysThumbprint } from "./commands/keys-thumbprint";
import { konnectPush } from "./commands/konnect-push";
import { tokenDecode } from "./commands/token-decode";
import { tokenVerify } from "./commands/token-verify";
import { tryFile } from "./commands/try";
import type { Tree } from "./completion";
import { BadUse } from "./files";
import { EXIT } from "./output";

const program = new Command("x-custom-jwt")
	.description("Keys, tokens and configuration of the Kong plugin x-custom-jwt")
	.version(version)
	.addHelpText(
		"after",
		`
Exit codes: 0 done or yes, 1 no, 2 no answer (a wrong option, a file or URL that cannot be read).

Example:
  $ npx kong-plugin-x-custom-jwt keys generate --out keys/2027
  $ npx kong-plugin-x-custom-jwt config check kong.yml`,
	)
	.addCommand(init())
	.addCommand(tryFile())
	.addCommand(gateway())
	.addCommand(conformance())
	.addCommand(
		new Command("keys")
			.description("generate, convert and rotate keys")
			.addHelpText(
				"after",
				`
Examples:
  $ x-custom-jwt keys generate --out keys/2027
  $ x-custom-jwt keys import key.pem --out private-jwk.json
  $ x-custom-jwt keys public keys/2027/private-jwk.json`,
			)
			.addCommand(keysGenerate())
			.addCommand(keysPublic())
			.addCommand(keysImport())
			.addCommand(keysPem())
			.addCommand(keysThumbprint())
			.addCommand(keysRotate()),
	)
	.addCommand(
		new Command("token")
			.description("look into tokens")
			.addHelpText(
				"after",
				`
Examples:
  $ echo "$TOKEN" | x-custom-jwt token decode -
  $ echo "$TOKEN" | x-custom-jwt token verify - --jwks keys/2027/public.pem`,
			)
			.addCommand(tokenDecode())
			.addCommand(tokenVerify()),
	)
	.addCommand(
		new Command("config")
			.description("look into declarative configuration")
			.addHelpText(
				"after",
				`
Example:
  $ x-custom-jwt config check kong.yml`,
			)
			.addCommand(configCheck())
			.addCommand(configExplain()),
	)
	.addCommand(
		new Command("konnect")
			.description("bring the plugin to Konnect")
			.addCommand(konnectPush()),
	)
	.addCommand(completion(() => program as Tree));

interface Settled {
	commands: readonly Settled[];
	exitOverride(): unknown;
	showHelpAfterError(message: string): unknown;
	configureOutput(output: {
		outputError(text: string, write: (text: string) => void): void;
	}): unknown;
}

/** Commands that are added whole do not inherit these. */
function settle(command: Settled): void {
	command.exitOverride();
	command.showHelpAfterError("(--help explains, with an example)");
	command.configureOutput({
		// It quotes arguments, between line ends of its own.
		outputError: (text, write) =>
			write(
				process.argv.reduce(
					(rest, argument) =>
						rest.replaceAll(argument, printableLine(argument)),
					text,
				),
			),
	});
	command.commands.forEach(settle);
}

/** The process's exit code for what a command threw; what it threw is printed. */
function failed(error: unknown): number {
	// Its message has been printed, help and version among them.
	if (error instanceof CommanderError)
		return error.exitCode === 0 ? EXIT.ok : EXIT.badUse;
	// An unforeseen error may quote what it choked on, such as a key.
	const isOurs =
		error instanceof BadUse ||
		error instanceof Unreadable ||
		error instanceof JwkError;
	const message = isOurs ? error.message : toRefusal(error).message;
	console.error(`x-custom-jwt: ${printableLine(message)}`);
	return EXIT.badUse;
}

// Whoever read the output has seen enough, e.g. head.
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
	if (code !== "EPIPE") process.exitCode = EXIT.badUse;
});
settle(program);
program.parseAsync().catch((error: unknown) => {
	process.exitCode = failed(error);
});
