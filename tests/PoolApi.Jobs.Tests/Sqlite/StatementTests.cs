using PoolApi.Jobs.Sqlite;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>A prepared statement keeps no memory of the values that it wrote or read.</summary>
public sealed class StatementTests : IDisposable
{
    private const int Length = 8 << 20;

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void A_body_that_was_written_or_read_is_not_kept_in_the_librarys_memory()
    {
        using var database = Database.Open(_folder.File("test.db"), mayCreate: true);
        database.Execute("CREATE TABLE t (a BLOB, b TEXT)");
        Statement insert = database.Prepare("INSERT INTO t VALUES (?, ?)");
        Statement select = database.Prepare("SELECT a, b FROM t");
        long before = database.StatementBytes;

        insert.Bind(new byte[Length]).Bind(new string('x', Length));
        Assert.InRange(database.StatementBytes, 2L * Length, long.MaxValue);
        insert.Run();
        Assert.InRange(database.StatementBytes, 0, before + (Length / 100));
        using (Statement.Rows rows = select.Query())
        {
            Assert.True(rows.Next());
            Assert.Equal((Length, Length), (select.ReadBytes().Length, select.ReadText().Length));
        }

        Assert.InRange(database.StatementBytes, 0, before + (Length / 100));
    }

    public void Dispose() => _folder.Dispose();
}
