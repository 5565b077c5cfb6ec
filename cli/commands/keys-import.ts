import { Command } from "@commander-js/extra-typings";
import { readInput } from "../../declarative/read-file";
import { JwkError } from "../../jwk/error";
import { printableLine } from "../../jwk/printable";
import { BadUse, writeNew } from "../files";
import { importKey } from "../import/import-key";
import { json } from "../keys";
import { asJson, print, report } from "../output";

/** `x-custom-jwt keys import` */
export function keysImport() {
	return new Command("import")
		.description("make a private JWK of PEM, a JWK, or a key of a JWK Set")
		.argument("<file>", "PEM or JSON; - is standard input")
		.option("--from <kid>", "which key of a JWK Set")
		.option("--kid <id>", "key ID (default: its own, or the JWK Thumbprint)")
		.requiredOption(
			"--out <file>",
			"where the private JWK goes (mode 0600); - is standard output",
		)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
Examples:
  $ npx kong-plugin-x-custom-jwt keys import key.pem --kid 2027 --out private-jwk.json
  $ openssl pkcs12 -in key.p12 -nodes | npx kong-plugin-x-custom-jwt keys import - --out -`,
		)
		.action((file, { from, kid, out, json: wantsJson }) => {
			if (out === "-" && wantsJson)
				throw new BadUse("--json and --out -: only one can be printed");
			try {
				const { jwk, warnings } = importKey(readInput(file), from, kid);
				writeNew(out, `${JSON.stringify(jwk)}\n`);
				const { alg, kid: own } = jwk;
				const words = [
					...warnings.map((text) => `warning: ${printableLine(text)}`),
					`${alg} key ${printableLine(String(own))}`,
				].join("\n");
				if (wantsJson) print(json({ kid: own, alg, file: out, warnings }));
				else if (out === "-") report(words);
				else print(`${words}\n${printableLine(out)}`);
			} catch (error) {
				if (!(error instanceof JwkError)) throw error;
				throw new BadUse(`${file}: ${error.message}`);
			}
		});
}
