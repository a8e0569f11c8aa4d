namespace PoolApi.Jobs.Stores;

/// <summary>A store cannot be used. The message is for the operator and says what is wrong and what to do.</summary>
public class JobStoreException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="inner">The cause.</param>
    public JobStoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>An open store cannot be used for now. A later call may succeed.</summary>
public sealed class JobStoreUnavailableException : JobStoreException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="inner">The cause.</param>
    public JobStoreUnavailableException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
