namespace PoolApi.Jobs.PostgreSql;

/// <summary>The database will not store this value, however often it is tried: such as a tag that is too long for an index.</summary>
internal sealed class JobStoreRefusedException(string message, Exception inner) : JobStoreException(message, inner);
