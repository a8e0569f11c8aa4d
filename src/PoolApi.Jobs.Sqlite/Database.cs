using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace PoolApi.Jobs.Sqlite;

/// <summary>A connection to the file, and its prepared statements. Used by one thread; not thread-safe.</summary>
internal sealed class Database : IDisposable
{
    /// <summary>How long a statement waits for a lock of another process before it fails, in milliseconds.</summary>
    private const int BusyTimeout = 5_000;

    private readonly SqliteConnection _connection;
    private readonly List<Statement> _statements = [];

    private Database(SqliteConnection connection) => _connection = connection;

    /// <summary>Whether no transaction is open.</summary>
    public bool IsIdle => raw.sqlite3_get_autocommit(_connection.Handle) != 0;

    /// <summary>Whether the file or its file system is read-only.</summary>
    public bool IsReadOnly => raw.sqlite3_db_readonly(_connection.Handle, "main") == 1;

    /// <summary>The file's path as SQLite resolved it, with links followed.</summary>
    public string File => raw.sqlite3_db_filename(_connection.Handle, "main").utf8_to_string();

    /// <summary>Opens the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mayCreate">Whether a missing file is created. If not, it is an error.</param>
    public static Database Open(string path, bool mayCreate)
    {
        // A direct call, so that trimming and Native AOT keep it.
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
            // FULL for every connection, also readers: the last connection to close checkpoints the log into the store.
            database.Execute($"PRAGMA busy_timeout = {BusyTimeout}; PRAGMA synchronous = FULL");
            return database;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Prepares a statement. It is disposed of with the connection.</summary>
    public Statement Prepare(string sql)
    {
        var statement = new Statement(_connection.Handle!, sql);
        _statements.Add(statement);
        return statement;
    }

    /// <summary>Runs statements once.</summary>
    public void Execute(string sql)
    {
        int code = raw.sqlite3_exec(_connection.Handle, sql);
        if (code != raw.SQLITE_OK) SqliteException.ThrowExceptionForRC(code, _connection.Handle);
    }

    /// <summary>Runs a query once and returns its number; 0 if it has no row.</summary>
    public long Number(string sql)
    {
        using var statement = new Statement(_connection.Handle!, sql);
        using Statement.Rows rows = statement.Query();
        return rows.Next() ? statement.ReadLong() : 0;
    }

    /// <summary>The native memory of its statements, in bytes.</summary>
    internal long StatementBytes
    {
        get
        {
            raw.sqlite3_db_status(_connection.Handle, raw.SQLITE_DBSTATUS_STMT_USED, out int used, out _, 0);
            return used;
        }
    }

    /// <summary>The rowid of the row that was inserted last.</summary>
    public long LastRow => raw.sqlite3_last_insert_rowid(_connection.Handle);

    /// <summary>
    /// Resets all statements, and rolls the open transaction back. After some faults SQLite has rolled it back already.
    /// </summary>
    public void Rollback()
    {
        foreach (Statement statement in _statements) statement.Reset();
        if (!IsIdle) Execute("ROLLBACK");
    }

    /// <summary>Checkpoints: moves the whole log into the store, syncs the store, and truncates the log.</summary>
    /// <param name="patience">The longest wait for other processes, in milliseconds.</param>
    /// <returns>Whether it succeeded. It cannot while another process reads or writes.</returns>
    public bool TryCheckpoint(int patience)
    {
        Execute($"PRAGMA busy_timeout = {patience}");
        return Number("PRAGMA wal_checkpoint(TRUNCATE)") == 0;
    }

    /// <summary>Keeps this connection from checkpointing and deleting the log when it is the last to close.</summary>
    public void LeaveLog() => raw.sqlite3_db_config(_connection.Handle, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _);

    public void Dispose()
    {
        foreach (Statement statement in _statements) statement.Dispose();
        _connection.Dispose();
    }
}
