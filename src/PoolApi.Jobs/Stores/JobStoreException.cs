namespace PoolApi.Jobs.Stores;

/// <summary>A store cannot be used. The message is for the operator and says what is wrong and what to do.</summary>
public class JobStoreException : Exception
{
    /// <summary>Says what is wrong.</summary>
    public JobStoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>An open store cannot be used for now. A later call may succeed.</summary>
public sealed class JobStoreUnavailableException : JobStoreException
{
    /// <summary>Says what is wrong.</summary>
    public JobStoreUnavailableException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
