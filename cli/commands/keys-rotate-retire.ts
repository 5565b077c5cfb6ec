import { readConfiguration } from "../../declarative/model";
import { now } from "../output";
import { retire } from "../rotate";
import { conclude, rotateStep } from "../rotate-step";

/** `x-custom-jwt keys rotate retire` */
export function keysRotateRetire() {
	return rotateStep(
		"retire",
		"third step: the old public key leaves when all tokens it signed have expired",
		"retire --config kong.yml --dry-run",
	)
		.option(
			"--force",
			"although its tokens may be in use, as for a stolen key",
			false,
		)
		.action(async (options) => {
			const configuration = readConfiguration(options.config);
			conclude(
				await retire(configuration, options, options.force, now()),
				options,
			);
		});
}
