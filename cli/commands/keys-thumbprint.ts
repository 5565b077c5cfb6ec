import { Command } from "@commander-js/extra-typings";
import { json, thumbprints } from "../keys";
import { asJson, print, printLine } from "../output";

/** `x-custom-jwt keys thumbprint` */
export function keysThumbprint() {
	return new Command("thumbprint")
		.description("print the JWK Thumbprints of keys (RFC 7638, SHA-256)")
		.argument(
			"<file...>",
			"JWKs, JWK Sets, PEM or certificates; - is standard input",
		)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
Both halves of a key have the same thumbprint. Example:
  $ npx kong-plugin-x-custom-jwt keys thumbprint keys/2027/private-jwk.json keys/2027/public-jwk.json`,
		)
		.action(async (files, options) => {
			const found = await thumbprints(files);
			if (options.json) return print(json(found));
			for (const { thumbprint, file, kid } of found)
				printLine(`${thumbprint}  ${file}${kid ? `  ${kid}` : ""}`);
		});
}
