using Npgsql;

namespace PoolApi.Jobs.Stores.Postgres;

/// <summary>Statements whose commit does not wait for the disk: a crash of the database may undo them.</summary>
internal static class WithoutDisk
{
    /// <summary>A transaction of one statement; more may be added. The first result of the batch is of no interest.</summary>
    /// <param name="connection">Where.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="parameters">Its parameters.</param>
    public static NpgsqlBatch Batch(NpgsqlConnection connection, string sql, out NpgsqlParameterCollection parameters)
    {
        var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("select set_config('synchronous_commit', 'off', true)"));
        var command = new NpgsqlBatchCommand(sql);
        batch.BatchCommands.Add(command);
        parameters = command.Parameters;
        return batch;
    }
}
