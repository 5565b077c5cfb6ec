import { readConfiguration } from "../../declarative/model";
import { json } from "../keys";
import { now, print } from "../output";
import { cacheMaxAge, margin, rotateCommand } from "../rotate-step";
import { inWords, rotationStatus } from "../rotation-status";

/** `x-custom-jwt keys rotate status` */
export function keysRotateStatus() {
	return rotateCommand(
		"status",
		"print where a rotation stands, and which step comes next and when",
		"status --config kong.yml",
	)
		.addOption(cacheMaxAge())
		.addOption(margin())
		.action(async (options) => {
			const configuration = readConfiguration(options.config);
			const time = now();
			const status = await rotationStatus(
				configuration,
				options,
				options,
				time,
			);
			print(options.json ? json(status) : inWords(status, time));
		});
}
