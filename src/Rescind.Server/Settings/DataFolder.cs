// The folder of the server's files. What it guarantees: a folder and files made here can be read by this user
// only; a file is either complete or absent, also after a crash.
using System.Security.Cryptography;

namespace Rescind.Server.Settings;

internal sealed class DataFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerFolder = OwnerOnly | UnixFileMode.UserExecute;

    private readonly string _path;

    private DataFolder(string path) => _path = path;

    public static DataFolder Open(string path, List<string> warnings)
    {
        try
        {
            var full = Path.GetFullPath(path);
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(full);
            }
            else if (!Directory.Exists(full))
            {
                Directory.CreateDirectory(full, OwnerFolder);
            }
            else if ((File.GetUnixFileMode(full) & ~OwnerFolder) != UnixFileMode.None)
            {
                warnings.Add("RESCIND_DATA: other users may look into the folder; set its mode to 0700.");
            }
            return new DataFolder(full);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            throw new StartRefusedException(
                "RESCIND_DATA",
                $"the folder '{Variables.Shown(path)}' cannot be made ({fault.GetType().Name})",
                "name a folder that the user of this process may write to");
        }
    }

    public string PathOf(string name) => Path.Combine(_path, name);

    /// <summary>The kind of file system that the folder is on.</summary>
    public string FileSystem => DriveInfo.GetDrives()
        .Where(drive => _path.StartsWith(drive.RootDirectory.FullName, StringComparison.Ordinal))
        .MaxBy(drive => drive.RootDirectory.FullName.Length)?.DriveFormat ?? "an unknown file system";

    /// <summary>The path of a file that is there afterwards; made empty, and for this user only.</summary>
    public string MakeFile(string name)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }
        using (new FileStream(PathOf(name), options))
        {
            return PathOf(name);
        }
    }

    /// <summary>The text of a file, made with new random text when it is absent.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="made">Whether this call made it.</param>
    public string ReadOrMakeSecret(string name, out bool made)
    {
        var path = PathOf(name);
        made = !File.Exists(path);
        if (made)
        {
            WriteSecret(name, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(48)));
        }
        return Variables.ReadFile("RESCIND_DATA/" + name, path).TrimEnd('\r', '\n');
    }

    /// <summary>Writes a file that only this user can read, in whole or not at all.</summary>
    public void WriteSecret(string name, string text)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }
        try
        {
            var unfinished = PathOf(name + ".new");
            File.Delete(unfinished);
            using (var file = new FileStream(unfinished, options))
            {
                file.Write(System.Text.Encoding.UTF8.GetBytes(text + "\n"));
                file.Flush(flushToDisk: true);
            }
            File.Move(unfinished, PathOf(name), overwrite: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException(
                "RESCIND_DATA", $"the file {name} cannot be written ({fault.GetType().Name})",
                "name a folder that the user of this process may write to");
        }
    }
}
