using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>
/// One database file, opened by one process: WAL, every commit on disk before it counts
/// (<c>synchronous=FULL</c>), a lock file held for the life of the process. The lock is the operating
/// system's, so kill -9 leaves none behind. Everything that can be wrong with a file is said at opening, with
/// the remedy.
/// </summary>
internal sealed class SqliteFile : IDisposable
{
    /// <summary>"RSCD", so that <c>file</c> and people know whose it is.</summary>
    private const int ApplicationId = 0x52534344;
    private const int SchemaVersion = 2;

    private const int Corrupt = 11;

    private const string Schema =
        """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE log (
            position INTEGER PRIMARY KEY AUTOINCREMENT, expires INTEGER NOT NULL, entry BLOB NOT NULL);
        CREATE TABLE records (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL,
            issuer TEXT NOT NULL, value TEXT NOT NULL, issued_before INTEGER, expires_at INTEGER,
            reason TEXT NOT NULL, actor TEXT NOT NULL, note TEXT, made_at INTEGER NOT NULL,
            lifted_at INTEGER, lifted_by TEXT, lift_reason TEXT);
        CREATE INDEX records_by_value ON records (value, kind);
        """;

    /// <summary>Since version 2: own entries of a node on a shared log, until they come back from
    /// it.</summary>
    private const string JournalSchema =
        "CREATE TABLE journal (id BLOB PRIMARY KEY, expires INTEGER NOT NULL, entry BLOB NOT NULL) "
        + "WITHOUT ROWID;";

    private readonly FileStream _lock;

    private SqliteFile(string path, FileStream held)
    {
        (Path, _lock) = (path, held);
        Writer = Connect();
        Entries = new EntryInsert(Writer);
        Reader = Connect();
        Records = Connect();
    }

    public string Path { get; }

    /// <summary>For the writer loop alone.</summary>
    public SqliteConnection Writer { get; }

    /// <summary>For the writer loop alone.</summary>
    public EntryInsert Entries { get; }

    /// <summary>For one long look, which holds up nobody but the end of what was written before.</summary>
    public SqliteConnection OpenReader()
    {
        var reader = Connect();
        Run(reader, "PRAGMA query_only=ON;");
        return reader;
    }

    /// <summary>For whoever holds its lock; sees what is committed.</summary>
    public SqliteConnection Reader { get; }

    /// <summary>As <see cref="Reader"/>, so that lists and checks do not wait for each other.</summary>
    public SqliteConnection Records { get; }

    /// <exception cref="IOException">The file cannot be used; the message says why and what to
    /// do.</exception>
    public static SqliteFile Open(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        var held = Hold(full);
        SqliteFile? file = null;
        try
        {
            file = new SqliteFile(full, held);
            file.Prepare();
            return file;
        }
        catch (Exception fault) when (fault is IOException || IsOfFile(fault, file?.Writer))
        {
            file?.Dispose();
            held.Dispose();
            throw fault as IOException ?? Explained(full, fault);
        }
    }

    /// <summary>Stops a write to a file that somebody has deleted or moved: SQLite would go on writing to
    /// what has no name any more, and the end of the process would lose it.</summary>
    /// <exception cref="IOException">The file is gone.</exception>
    public void CheckIsThere()
    {
        if (!File.Exists(Path))
        {
            throw new IOException(
                $"'{Path}' was deleted or moved while it was in use, so nothing more can be kept. Put it "
                + "back if it was moved, then restart.");
        }
    }

    /// <summary>Whether a fault is one of the file: SQLite says so, or what stands there is not of its type,
    /// which SQLite does not look at.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="connection">What was used; once it is closed, nothing is said of the file.</param>
    public static bool IsOfFile(Exception fault, SqliteConnection? connection) => fault is SqliteException
        || (connection is not { State: not System.Data.ConnectionState.Open }
            && fault is InvalidCastException or InvalidOperationException or FormatException
                or OverflowException or ArgumentException);

    /// <summary>What a fault of the file means for whoever runs the program.</summary>
    public static IOException Explained(string path, Exception fault) => new(
        (fault is SqliteException known ? known.SqliteErrorCode : Corrupt) switch
        {
            5 or 6 => $"'{path}' is locked by another program. Close what else has opened it.",
            8 or 23 => $"'{path}' is read-only. Give this process write access to the file and its folder.",
            10 => $"'{path}' could not be read or written. Look at the disk.",
            Corrupt => $"'{path}' is corrupt. Restore it from a backup, or move it away to start empty; in "
                + $"either case remove '{path}-wal' and '{path}-shm', which belong to no other file.",
            13 => $"The disk with '{path}' is full. Make room; what was acknowledged is safe.",
            14 => $"'{path}' cannot be opened. Look at the access rights of its folder.",
            26 => $"'{path}' is not a SQLite database. Choose another file name.",
            _ => $"'{path}' failed: {fault.Message} Look at the disk and restart; if that does not help, "
                + "restore the file from a backup, or move it away to start empty.",
        },
        fault);

    public void Dispose()
    {
        Records.Dispose();
        Reader.Dispose();
        Entries.Dispose();
        Writer.Dispose();
        _lock.Dispose();
    }

    private static FileStream Hold(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            throw new IOException(
                $"'{path}' is a link to '{target}'. Name the file itself: whoever opens it by another name "
                + "must meet the same lock. Its folder may be a link.");
        }
        try
        {
            var folder = System.IO.Path.GetDirectoryName(path)!;
            if (!Directory.Exists(folder) && !OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(
                    folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
            Directory.CreateDirectory(folder);
            var held = new FileStream(path + ".lock", OwnersAlone());
            if (!File.Exists(path))
            {
                // Made here, so that it and what SQLite keeps beside it belong to this user alone.
                new FileStream(path, OwnersAlone()).Dispose();
            }
            return held;
        }
        catch (UnauthorizedAccessException fault)
        {
            throw new IOException(
                $"'{path}' cannot be opened: no write access to its folder. Grant it, or choose another.",
                fault);
        }
        catch (IOException fault) when (File.Exists(path + ".lock"))
        {
            throw new IOException(
                $"'{path}' is in use by another process. One process a file: stop the other, or choose "
                + "another file; several processes share a log through Redis.",
                fault);
        }
    }

    private static FileStreamOptions OwnersAlone()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        return options;
    }

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = Path, Pooling = false, DefaultTimeout = 5,
        }.ConnectionString);
        connection.Open();
        return connection;
    }

    private void Prepare()
    {
        var version = Number(Writer, "PRAGMA user_version");
        var tables = Number(Writer, "SELECT count(*) FROM sqlite_master");
        if (version > SchemaVersion)
        {
            throw new IOException(
                $"'{Path}' was written by a newer version of Rescind (schema {version}, this one knows "
                + $"{SchemaVersion}). Run that version, or restore the file from before.");
        }
        if ((version == 0 && tables != 0)
            || (version != 0 && Number(Writer, "PRAGMA application_id") != ApplicationId))
        {
            throw new IOException($"'{Path}' is a database of another program. Choose another file name.");
        }
        Run(Writer, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
        Run(Reader, "PRAGMA query_only=ON;");
        Run(Records, "PRAGMA query_only=ON;");
        if (version == 0)
        {
            Create();
        }
        if (version < SchemaVersion)
        {
            Run(Writer, $"BEGIN; {JournalSchema} PRAGMA user_version={SchemaVersion}; COMMIT;");
        }
    }

    private void Create()
    {
        var history = BitConverter.ToInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
        using var transaction = Writer.BeginTransaction();
        Run(Writer, Schema);
        Run(Writer, $"INSERT INTO meta VALUES ('history', {history}), ('horizon', 0)");
        Run(Writer, $"PRAGMA application_id={ApplicationId}; PRAGMA user_version=1;");
        transaction.Commit();
    }

    public static long Number(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar());
    }

    public static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
