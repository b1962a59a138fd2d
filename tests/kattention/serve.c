/* Runs one signature of a SavedModel on strings, with no Python in the process:
 * serve MODEL OP_LIBRARY INPUT OUTPUT TEXT...
 * INPUT and OUTPUT are tensor names, "operation:index". Prints a line a text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>
#include <tensorflow/c/tf_tstring.h>

static TF_Status *status;

static void check(const char *doing) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s: %s\n", doing, TF_Message(status));
    exit(1);
  }
}

static TF_Output output(TF_Graph *graph, char *name) {
  char *colon = strrchr(name, ':');
  *colon = 0;
  TF_Output result = {TF_GraphOperationByName(graph, name), atoi(colon + 1)};
  if (!result.oper) {
    fprintf(stderr, "no operation %s\n", name);
    exit(1);
  }
  return result;
}

int main(int count, char **argument) {
  status = TF_NewStatus();
  TF_LoadLibrary(argument[2], status);
  check("load the library");
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(
      options, NULL, argument[1], tags, 1, graph, NULL, status);
  check("load the model");

  TF_Output input = output(graph, argument[3]);
  TF_Output wanted = output(graph, argument[4]);
  int64_t texts = count - 5;
  TF_Tensor *fed =
      TF_AllocateTensor(TF_STRING, &texts, 1, texts * sizeof(TF_TString));
  TF_TString *strings = TF_TensorData(fed);
  for (int64_t i = 0; i < texts; i++) {
    TF_TString_Init(&strings[i]);
    TF_TString_Copy(&strings[i], argument[5 + i], strlen(argument[5 + i]));
  }
  TF_Tensor *fetched = NULL;
  TF_SessionRun(session, NULL, &input, &fed, 1, &wanted, &fetched, 1, NULL, 0,
                NULL, status);
  check("run");
  TF_TString *results = TF_TensorData(fetched);
  for (int64_t i = 0; i < texts; i++)
    fwrite(TF_TString_GetDataPointer(&results[i]), 1,
           TF_TString_GetSize(&results[i]), stdout), putchar('\n');
  return 0;
}
