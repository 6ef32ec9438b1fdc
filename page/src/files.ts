// Files that are dropped or chosen, also whole folders.
const KINDS = /\.(png|jpe?g|tiff?|bmp|pgm|ppm|pbm|pnm|webp)$/i;

/** Call `take` with the pictures that are dropped on an element or chosen in its field. */
export function pictures(element: HTMLElement, take: (files: File[]) => void): void {
  const field = element.querySelector<HTMLInputElement>("input[type=file]")!;
  const place = element.querySelector<HTMLElement>(".drop")!;
  field.addEventListener("change", () => {
    take([...(field.files ?? [])]);
    field.value = "";
  });
  for (const kind of ["dragenter", "dragover"]) {
    place.addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.add("over");
    });
  }
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    void dropped((event as DragEvent).dataTransfer!).then(take);
  });
}

async function dropped(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (!entries.length) return [...transfer.files];
  const found = await Promise.all(entries.map((entry) => below(entry)));
  return entries.every((entry) => entry.isFile) ? found.flat() : found.flat().filter((file) => KINDS.test(file.name));
}

/** All files below an entry; a reader gives a hundred at most at a time. */
async function below(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await new Promise<File>((give, fail) => (entry as FileSystemFileEntry).file(give, fail))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((give, fail) => reader.readEntries(give, fail));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(below))).flat();
}
