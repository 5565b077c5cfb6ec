import {
	Command,
	InvalidArgumentError,
	Option,
} from "@commander-js/extra-typings";
import { printableLine } from "../../jwk/printable";
import { json } from "../keys";
import {
	baseUrl,
	describeRequest,
	push,
	REGIONS,
	readAccessToken,
} from "../konnect";
import { asJson, EXIT, print } from "../output";

/** `x-custom-jwt konnect push` */
export function konnectPush() {
	return new Command("push")
		.alias("push-schema")
		.description(
			"create or update the plugin's schema in a control plane, before data planes have the plugin; or the plugin itself, which Konnect then streams to them",
		)
		.option(
			"--streamed",
			"push handler.lua too: data planes run the plugin in Kong's process and need nothing installed",
			false,
		)
		.requiredOption("--control-plane <id>", "the control plane's id", uuid)
		.addOption(
			new Option("--region <region>", "Konnect's region")
				.choices(REGIONS)
				.default("us"),
		)
		.option("--url <url>", "another API host instead of the region's")
		.option(
			"--token-file <file>",
			"holds the access token; - is standard input (default: the variable KONNECT_TOKEN)",
		)
		.option("--dry-run", "print the request, send nothing", false)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
Example:
  $ KONNECT_TOKEN=kpat_... npx kong-plugin-x-custom-jwt konnect push --region eu \\
      --control-plane 5d9a3c1e-0f52-4c8b-9a51-6a2f7d1e8b90`,
		)
		.action(async (options) => {
			const { controlPlane, region, url, tokenFile, dryRun } = options;
			const target = { url: baseUrl(region, url), controlPlane };
			const parcel = options.streamed ? "streamed" : "schema";
			if (dryRun) return print(describeRequest(target, parcel));
			const upload = await push(target, parcel, readAccessToken(tokenFile));
			process.exitCode = upload.done ? EXIT.ok : EXIT.no;
			print(options.json ? json(upload) : printableLine(upload.message));
		});
}

function uuid(text: string): string {
	if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text;
	throw new InvalidArgumentError("A UUID is expected.");
}
