// Whether a file lies on a read-only mount, as Kubernetes and systemd hand out secrets: nobody here can change it or its mode,
// and whoever mounted it decided who sees it (R-J4).

import { accessSync, constants } from "node:fs";

export function isOnReadOnlyMount(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}
