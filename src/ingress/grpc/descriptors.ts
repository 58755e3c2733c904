// The descriptors that reflection hands out, as compilers of .proto files write them: strict clients refuse what the loader makes.
import type { PackageDefinition } from '@grpc/proto-loader';
import descriptor from 'protobufjs/ext/descriptor/index.js';

/** What of a descriptor is read and mended here. */
interface Field {
  name: string;
  typeName?: string;
}

interface MessageType {
  name: string;
  field: Field[];
  nestedType: MessageType[];
  enumType: { name: string }[];
  options?: { mapEntry?: boolean };
}

interface File {
  name: string;
  package: string;
  dependency: string[];
  messageType: MessageType[];
  enumType: { name: string }[];
}

const { FileDescriptorProto } = descriptor;

/** Names of types are made whole, what a file needs of others is named, the types behind maps have their usual names. */
export function mended(definition: PackageDefinition): PackageDefinition {
  const bytes = Object.values(definition).flatMap(({ fileDescriptorProtos }) =>
    Array.isArray(fileDescriptorProtos) ? (fileDescriptorProtos as Buffer[]) : [],
  );
  const distinct = new Map(bytes.map((one) => [one.toString('base64'), one]));
  const files = [...distinct.values()].map((one) => FileDescriptorProto.decode(one) as unknown as File);
  for (const file of files) for (const type of file.messageType) renameMapEntries(type);
  const homes = new Map(files.flatMap((file) => namesIn(file).map((name) => [name, file.name])));
  for (const file of files) {
    for (const type of file.messageType) link(file, type, `${file.package}.${type.name}`, homes);
  }
  const encoded = files.map((file) => Buffer.from(FileDescriptorProto.encode(file as never).finish()));
  return Object.fromEntries(
    Object.entries(definition).map(([name, one]) => [
      name,
      Array.isArray(one.fileDescriptorProtos) ? { ...one, fileDescriptorProtos: encoded } : one,
    ]),
  ) as PackageDefinition;
}

/** The field `some_texts` has its entries in SomeTextsEntry. */
function renameMapEntries({ field: fields, nestedType }: MessageType): void {
  for (const entry of nestedType) {
    renameMapEntries(entry);
    if (entry.options?.mapEntry !== true) continue;
    const field = fields.find(({ typeName }) => typeName === entry.name);
    if (field === undefined) continue;
    const camel = field.name.replace(/(?:^|_)([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
    entry.name = `${camel}Entry`;
    field.typeName = entry.name;
  }
}

function namesIn(file: File): string[] {
  const inside = (scope: string, { name, nestedType, enumType }: MessageType): string[] => {
    const own = `${scope}.${name}`;
    return [own, ...enumType.map((one) => `${own}.${one.name}`), ...nestedType.flatMap((one) => inside(own, one))];
  };
  const enums = file.enumType.map(({ name }) => `${file.package}.${name}`);
  return [...enums, ...file.messageType.flatMap((type) => inside(file.package, type))];
}

/** `own`: the type's whole name, from which a name within it is looked for outwards. */
function link(file: File, type: MessageType, own: string, homes: ReadonlyMap<string, string>): void {
  for (const field of type.field) {
    const { typeName = '' } = field;
    if (typeName === '' || typeName.startsWith('.')) continue;
    for (let scope = own; ; scope = scope.slice(0, Math.max(0, scope.lastIndexOf('.')))) {
      const whole = scope === '' ? typeName : `${scope}.${typeName}`;
      const home = homes.get(whole);
      if (home !== undefined) {
        field.typeName = `.${whole}`;
        if (home !== file.name && !file.dependency.includes(home)) file.dependency.push(home);
        break;
      }
      if (scope === '') break;
    }
  }
  for (const nested of type.nestedType) link(file, nested, `${own}.${nested.name}`, homes);
}
