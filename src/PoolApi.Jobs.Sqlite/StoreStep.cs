namespace PoolApi.Jobs.Sqlite;

/// <summary>A step whose order matters for durability. Reported for tests.</summary>
internal enum StoreStep
{
    /// <summary>A file or a directory was synced to the disk.</summary>
    Synced,

    /// <summary>A reader has closed its connection.</summary>
    ReaderClosed,

    /// <summary>The log was moved into the store.</summary>
    Checkpointed,

    /// <summary>The writer has closed its connection.</summary>
    WriterClosed,
}
