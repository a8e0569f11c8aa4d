using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace PoolApi.Jobs.Sqlite;

/// <summary>A prepared statement, for repeated use by the thread of its connection. Not thread-safe.</summary>
/// <remarks>
/// <para>It calls SQLite directly instead of through ADO.NET, because a parameter object and a boxed value for each column cost more than an insert
/// at tens of thousands of inserts a second.</para>
/// <para>Values are bound in the order of the parameters and read in the order of the columns. <see cref="Run"/> and the disposal of
/// <see cref="Rows"/> reset the statement, also after an exception. They clear its values too, because a bound or read body would otherwise stay in
/// native memory until the next use.</para>
/// </remarks>
internal sealed class Statement : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;
    private byte[] _text = new byte[512];
    private int _parameter;
    private int _column;

    public Statement(sqlite3 database, string sql)
    {
        _database = database;
        Check(raw.sqlite3_prepare_v3(database, sql, raw.SQLITE_PREPARE_PERSISTENT, out _statement));
    }

    public Statement Bind(long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, ++_parameter, value));
        return this;
    }

    public Statement Bind(double? value)
    {
        if (value is { } given) Check(raw.sqlite3_bind_double(_statement, ++_parameter, given));
        else BindNull();
        return this;
    }

    public Statement Bind(long? value) => value is { } given ? Bind(given) : BindNull();

    public Statement Bind(bool value) => Bind(value ? 1L : 0L);

    public Statement Bind(Guid value)
    {
        // Big-endian, so that version 7 UUIDs sort by their time.
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        return Bind(bytes);
    }

    public Statement Bind(DateTimeOffset value) => Bind(Timestamps.ToMicroseconds(value));

    public Statement Bind(DateTimeOffset? value) => value is { } given ? Bind(given) : BindNull();

    public Statement Bind(ReadOnlySpan<byte> value)
    {
        Check(raw.sqlite3_bind_blob(_statement, ++_parameter, value));
        return this;
    }

    public Statement Bind(string? value)
    {
        if (value is null) return BindNull();
        if (value.Length == 0)
        {
            // An empty span has no address, and would be NULL.
            Check(raw.sqlite3_bind_text(_statement, ++_parameter, value));
            return this;
        }
        int most = Encoding.UTF8.GetMaxByteCount(value.Length);
        if (_text.Length < most) _text = new byte[most];
        int length = Encoding.UTF8.GetBytes(value, _text);
        Check(raw.sqlite3_bind_text(_statement, ++_parameter, _text.AsSpan(0, length)));
        return this;
    }

    public Statement BindNull()
    {
        Check(raw.sqlite3_bind_null(_statement, ++_parameter));
        return this;
    }

    /// <summary>Runs the statement and ignores its rows.</summary>
    public void Run()
    {
        using Rows rows = Query();
        while (rows.Next())
        {
        }
    }

    /// <summary>Runs the statement, for reading its rows one after another.</summary>
    public Rows Query() => new(this);

    public bool IsNull => raw.sqlite3_column_type(_statement, _column) == raw.SQLITE_NULL;

    public long ReadLong() => raw.sqlite3_column_int64(_statement, _column++);

    public int ReadInt() => (int)ReadLong();

    public bool ReadBool() => ReadLong() != 0;

    public long? ReadLongOrNull()
    {
        if (!IsNull) return ReadLong();
        _column++;
        return null;
    }

    public double? ReadDoubleOrNull()
    {
        bool isNull = IsNull;
        double value = raw.sqlite3_column_double(_statement, _column++);
        return isNull ? null : value;
    }

    public string ReadText() => raw.sqlite3_column_text(_statement, _column++).utf8_to_string();

    public string? ReadTextOrNull()
    {
        if (!IsNull) return ReadText();
        _column++;
        return null;
    }

    public byte[] ReadBytes() => raw.sqlite3_column_blob(_statement, _column++).ToArray();

    public Guid ReadGuid() => new(raw.sqlite3_column_blob(_statement, _column++), bigEndian: true);

    public DateTimeOffset ReadTime() => Timestamps.FromMicroseconds(ReadLong());

    public DateTimeOffset? ReadTimeOrNull() => ReadLongOrNull() is { } value ? Timestamps.FromMicroseconds(value) : null;

    /// <summary>Skips a column.</summary>
    public T? Skip<T>()
    {
        _column++;
        return default;
    }

    public void Dispose() => _statement.Dispose();

    private bool Step()
    {
        _column = 0;
        int code = raw.sqlite3_step(_statement);
        if (code == raw.SQLITE_ROW) return true;
        if (code != raw.SQLITE_DONE) SqliteException.ThrowExceptionForRC(code, _database);
        return false;
    }

    /// <summary>Makes the statement ready for the next use, from any state.</summary>
    public void Reset()
    {
        // The reset also frees the columns of the last row. Its result repeats that of the last step, and is ignored.
        raw.sqlite3_reset(_statement);
        if (_parameter > 0) raw.sqlite3_clear_bindings(_statement);
        _parameter = 0;
    }

    private void Check(int code)
    {
        if (code == raw.SQLITE_OK) return;
        raw.sqlite3_clear_bindings(_statement);
        _parameter = 0;
        SqliteException.ThrowExceptionForRC(code, _database);
    }

    /// <summary>The rows of one run. The values of the current row are read from the statement.</summary>
    internal readonly ref struct Rows(Statement statement)
    {
        public bool Next() => statement.Step();

        public void Dispose() => statement.Reset();
    }
}
