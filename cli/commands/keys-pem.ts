import { Command } from "@commander-js/extra-typings";
import { json, keyPem } from "../keys";
import { asJson, print } from "../output";

/** `x-custom-jwt keys pem` */
export function keysPem() {
	return new Command("pem")
		.description("print a JWK's public key as PEM (SPKI)")
		.argument("<file>", "a JWK, PEM or a certificate; - is standard input")
		.option("--private", "the private key instead (PKCS #8)", false)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
Example, for rsa_public_key of a jwt credential in Kong:
  $ npx kong-plugin-x-custom-jwt keys pem keys/2027/public-jwk.json`,
		)
		.action((file, options) => {
			const pem = keyPem(file, options.private);
			print(options.json ? json({ pem }) : pem);
		});
}
