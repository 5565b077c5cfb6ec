import { Command } from "@commander-js/extra-typings";
import { readInput } from "../../declarative/read-file";
import { JwkError } from "../../jwk/error";
import { printableLine } from "../../jwk/printable";
import { BadUse, writeNew } from "../files";
import { importKey } from "../import/import-key";
import { print } from "../output";

/** `x-custom-jwt keys import` */
export function keysImport() {
	return new Command("import")
		.description("make a private JWK of PEM, a JWK, or a key of a JWK Set")
		.argument("<file>", "PEM or JSON; - is standard input")
		.option("--from <kid>", "which key of a JWK Set")
		.option("--kid <id>", "key ID (default: its own, or the JWK Thumbprint)")
		.requiredOption("--out <file>", "where the private JWK goes (mode 0600)")
		.addHelpText(
			"after",
			`
Example:
  $ npx kong-plugin-x-custom-jwt keys import key.pem --kid 2027 --out private-jwk.json`,
		)
		.action((file, { from, kid, out }) => {
			try {
				const { jwk, warnings } = importKey(readInput(file), from, kid);
				writeNew(out, `${JSON.stringify(jwk)}\n`);
				print(
					[
						...warnings.map((text) => `warning: ${printableLine(text)}`),
						`${jwk.alg} key ${printableLine(String(jwk.kid))}`,
						printableLine(out),
					].join("\n"),
				);
			} catch (error) {
				if (!(error instanceof JwkError)) throw error;
				throw new BadUse(`${file}: ${error.message}`);
			}
		});
}
