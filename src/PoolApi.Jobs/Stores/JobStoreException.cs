namespace PoolApi.Jobs.Stores;

/// <summary>A store cannot be used. The message is for the operator: what is wrong, and what to do.</summary>
public class JobStoreException : Exception
{
    /// <summary>Says what is wrong.</summary>
    public JobStoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>A store that has been open cannot be used for now: it may be again later.</summary>
public sealed class JobStoreUnavailableException : JobStoreException
{
    /// <summary>Says what is wrong.</summary>
    public JobStoreUnavailableException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
