using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace PoolApi.Jobs.Sqlite;

/// <summary>A connection to the file, and its prepared statements. Of one thread.</summary>
internal sealed class Database : IDisposable
{
    /// <summary>How long another process may hold the file before that is a fault, in milliseconds.</summary>
    private const int BusyTimeout = 5_000;

    private readonly SqliteConnection _connection;
    private readonly List<Statement> _statements = [];

    private Database(SqliteConnection connection) => _connection = connection;

    /// <summary>Whether no transaction is open.</summary>
    public bool IsIdle => raw.sqlite3_get_autocommit(_connection.Handle) != 0;

    /// <summary>The file, or what it is on, may only be read.</summary>
    public bool IsReadOnly => raw.sqlite3_db_readonly(_connection.Handle, "main") == 1;

    /// <summary>The file's path as the library has it: links are followed.</summary>
    public string File => raw.sqlite3_db_filename(_connection.Handle, "main").utf8_to_string();

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
            // FULL, whatever the library's default is: of every connection, since the last to close writes the log into the store.
            database.Execute($"PRAGMA busy_timeout = {BusyTimeout}; PRAGMA synchronous = FULL");
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

    /// <summary>The memory that its statements take in the library, in bytes.</summary>
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
    /// Undoes what is not committed, and what may be left of the use of a statement. After some faults the database has done so itself.
    /// </summary>
    public void Rollback()
    {
        foreach (Statement statement in _statements) statement.Reset();
        if (!IsIdle) Execute("ROLLBACK");
    }

    /// <summary>Moves all of the log into the store, syncs that, and empties the log.</summary>
    /// <param name="patience">How long to wait for other processes, in milliseconds.</param>
    /// <returns>Whether that was possible: not while another process reads or writes.</returns>
    public bool TryCheckpoint(int patience)
    {
        Execute($"PRAGMA busy_timeout = {patience}");
        return Number("PRAGMA wal_checkpoint(TRUNCATE)") == 0;
    }

    /// <summary>Whoever closes the store last moves its log into it, and deletes that. This connection does not.</summary>
    public void LeaveLog() => raw.sqlite3_db_config(_connection.Handle, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _);

    public void Dispose()
    {
        foreach (Statement statement in _statements) statement.Dispose();
        _connection.Dispose();
    }
}
