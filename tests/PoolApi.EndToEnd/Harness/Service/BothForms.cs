namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>Runs a theory once against each form of the service.</summary>
public sealed class BothForms : TheoryData<ServiceForm>
{
    /// <summary>Lists the forms.</summary>
    public BothForms()
    {
        Add(ServiceForm.FrameworkDependent);
        Add(ServiceForm.NativeAot);
    }
}
