import {
	Command,
	InvalidArgumentError,
	Option,
} from "@commander-js/extra-typings";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { JwkError } from "../../jwk/error";
import { generateKey } from "../../jwk/generate";
import { interopWarnings } from "../../jwk/interop";
import { USES } from "../../jwk/members";
import { printable } from "../../jwk/printable";
import { BadUse } from "../files";
import { json, writeKeyFiles } from "../keys";
import { asJson, print, report, warn } from "../output";

/** `x-custom-jwt keys generate` */
export function keysGenerate() {
	return new Command("generate")
		.description(
			"generate a key pair: private JWK (mode 0600), public JWK, JWK Set, public PEM",
		)
		.addOption(
			new Option("--alg <alg>", "JWS algorithm")
				.choices(PUBLIC_KEY_ALGORITHMS)
				.default("ES256"),
		)
		.option("--kid <id>", "key ID (default: the JWK Thumbprint, RFC 7638)", kid)
		.addOption(
			new Option("--bits <bits>", "size of an RSA key (default: 2048)").choices(
				["2048", "3072", "4096"],
			),
		)
		.addOption(use("sig"))
		.requiredOption(
			"--out <folder>",
			"where the files go; - prints the private JWK alone",
		)
		.option("--force", "overwrite files that are there", false)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
Example:
  $ npx kong-plugin-x-custom-jwt keys generate --out keys/2027
  $ ls keys/2027
  private-jwk.json  public-jwk.json  public-jwks.json  public.pem`,
		)
		.action(async ({ alg, out, force, json: wantsJson, ...options }) => {
			const bits = options.bits ? Number(options.bits) : undefined;
			const jwk = await generateKey(alg, { ...options, bits }).catch(
				(error: unknown) => {
					if (!(error instanceof JwkError)) throw error;
					throw new BadUse(`--bits: ${error.message}`);
				},
			);
			interopWarnings(jwk).forEach(warn);
			if (out === "-") {
				report(`${alg} key ${jwk.kid}`);
				return print(JSON.stringify(jwk));
			}
			const files = writeKeyFiles(jwk, out, force);
			print(
				wantsJson
					? json({ kid: jwk.kid, alg, files })
					: `${alg} key ${jwk.kid}\n${Object.values(files).join("\n")}`,
			);
		});
}

/**
 * The option `--use`.
 *
 * @param byDefault what the help says of its default
 */
export function use(byDefault: string) {
	return new Option(
		"--use <use>",
		`what the key is for; SPIFFE's trust bundles want jwt-svid (default: ${byDefault})`,
	).choices(USES);
}

function kid(text: string): string {
	if (/^[^\n\t]+$/.test(text) && printable(text) === text) return text;
	throw new InvalidArgumentError("A text on one line is expected.");
}
