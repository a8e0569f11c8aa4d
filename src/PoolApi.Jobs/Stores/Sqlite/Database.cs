using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace PoolApi.Jobs.Stores.Sqlite;

/// <summary>A connection to the file, and its prepared statements. Of one thread.</summary>
internal sealed partial class Database : IDisposable
{
    /// <summary>How long another process may hold the file before that is a fault, in milliseconds.</summary>
    private const int BusyTimeout = 5_000;

    private const int HasMoved = 20; // SQLITE_FCNTL_HAS_MOVED

    private readonly SqliteConnection _connection;
    private readonly string _log;
    private readonly List<Statement> _statements = [];

    private Database(SqliteConnection connection)
    {
        _connection = connection;
        // As the library has it: where the path is a link, the log lies beside the file that it leads to.
        _log = raw.sqlite3_db_filename(connection.Handle, "main").utf8_to_string() + "-wal";
    }

    /// <summary>Whether no transaction is open.</summary>
    public bool IsIdle => raw.sqlite3_get_autocommit(_connection.Handle) != 0;

    /// <summary>The file, or what it is on, may only be read.</summary>
    public bool IsReadOnly => raw.sqlite3_db_readonly(_connection.Handle, "main") == 1;

    /// <summary>
    /// The file, or its log, is not any more where it was opened: somebody has moved or deleted it. What is committed then is
    /// committed to something that nobody will find.
    /// </summary>
    /// <remarks>Within a transaction: the log is there from the first one on, until the last connection is closed. Costs two looks into the directory.</remarks>
    public bool IsMoved => (FileControl(_connection.Handle!.DangerousGetHandle(), "main", HasMoved, out int moved) == raw.SQLITE_OK && moved != 0)
        || !File.Exists(_log);

    /// <summary>Opens the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mayCreate">One that is not there is made. Otherwise that is a fault.</param>
    public static Database Open(string path, bool mayCreate)
    {
        // By name, not by reflection: trimmed and compiled ahead of time, it is there all the same.
        Batteries_V2.Init();
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Pooling = false,
            Mode = mayCreate ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
        }.ToString());
        try
        {
            connection.Open();
            var database = new Database(connection);
            database.Execute($"PRAGMA busy_timeout = {BusyTimeout}");
            return database;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Prepares a statement, which lives as long as the connection.</summary>
    public Statement Prepare(string sql)
    {
        var statement = new Statement(_connection.Handle!, sql);
        _statements.Add(statement);
        return statement;
    }

    /// <summary>Runs statements that are not needed again.</summary>
    public void Execute(string sql)
    {
        int code = raw.sqlite3_exec(_connection.Handle, sql);
        if (code != raw.SQLITE_OK) SqliteException.ThrowExceptionForRC(code, _connection.Handle);
    }

    /// <summary>The one number that a query answers.</summary>
    public long Number(string sql)
    {
        using var statement = new Statement(_connection.Handle!, sql);
        using Statement.Rows rows = statement.Query();
        return rows.Next() ? statement.ReadLong() : 0;
    }

    /// <summary>The rowid of the row that was inserted last.</summary>
    public long LastRow => raw.sqlite3_last_insert_rowid(_connection.Handle);

    /// <summary>
    /// Undoes what is not committed, and what may be left of the use of a statement. After some faults the database has done so itself.
    /// </summary>
    public void Rollback()
    {
        foreach (Statement statement in _statements) statement.Reset();
        if (!IsIdle) Execute("ROLLBACK");
    }

    public void Dispose()
    {
        foreach (Statement statement in _statements) statement.Dispose();
        _connection.Dispose();
    }

    // SQLitePCLRaw, which loads the library, does not offer this function.
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_file_control", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int FileControl(IntPtr database, string name, int operation, out int answer);
}
