import {
	Command,
	InvalidArgumentError,
	Option,
} from "@commander-js/extra-typings";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { generateKey } from "../../jwk/generate";
import { printable } from "../../jwk/printable";
import { json, writeKeyFiles } from "../keys";
import { asJson, print } from "../output";

/** `x-custom-jwt keys generate` */
export function keysGenerate() {
	return new Command("generate")
		.description(
			"generate a key pair: private JWK (mode 0600), public JWK, JWK Set, public PEM",
		)
		.addOption(
			new Option("--alg <alg>", "JWS algorithm")
				.choices(PUBLIC_KEY_ALGORITHMS)
				.default("RS256"),
		)
		.option("--kid <id>", "key ID (default: the JWK Thumbprint, RFC 7638)", kid)
		.addOption(
			new Option("--bits <bits>", "size of an RSA key (default: 2048)").choices(
				["2048", "3072", "4096"],
			),
		)
		.requiredOption("--out <folder>", "where the files go")
		.option("--force", "overwrite files that are there", false)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
Example:
  $ x-custom-jwt keys generate --alg ES256 --out keys/2027
  $ ls keys/2027
  private-jwk.json  public-jwk.json  public-jwks.json  public.pem`,
		)
		.action(async ({ alg, kid, bits, out, force, json: wantsJson }) => {
			const jwk = await generateKey(alg, kid, bits ? Number(bits) : undefined);
			const files = writeKeyFiles(jwk, out, force);
			print(
				wantsJson
					? json({ kid: jwk.kid, alg, files })
					: `${alg} key ${jwk.kid}\n${Object.values(files).join("\n")}`,
			);
		});
}

function kid(text: string): string {
	if (/^[^\n\t]+$/.test(text) && printable(text) === text) return text;
	throw new InvalidArgumentError("A text on one line is expected.");
}
